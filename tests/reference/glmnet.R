# Coefficients of glmnet 4.1-6 (Debian's r-cran-glmnet) along paths, for tests/test_penalties.py:
# run `Rscript glmnet.R` in this folder; it reads glmnet_rows.csv and writes glmnet.csv.
library(glmnet)
rows <- read.csv("glmnet_rows.csv")
numeric <- c("a", "b", "c", "d")
dense <- as.matrix(rows[, numeric])
# Penalised as zeroloop's tables are: numbers in standard deviations, a column of 0 and 1 for each level.
levels <- model.matrix(~ colour - 1, rows)
deviations <- apply(dense, 2, function(v) sqrt(mean((v - mean(v))^2)))
table <- cbind(scale(dense, center = FALSE, scale = deviations), levels)
sparse <- as.matrix(rows[, grep("^s", names(rows))])
sparse <- Matrix(sparse, sparse = TRUE)
factors <- c(1, 0, 2, 0.5)
out <- NULL
run <- function(case, x, y, alpha, family = "binomial", ...) {
  lambda <- exp(seq(log(0.1), log(0.0005), length.out = 12))
  f <- glmnet(x, y, family = family, alpha = alpha, lambda = lambda, thresh = 1e-14, maxit = 1e7, ...)
  stopifnot(length(f$lambda) == 12)
  for (i in seq_along(lambda)) {
    coefs <- if (family == "binomial") list(coef(f, s = lambda[i])) else coef(f, s = lambda[i])
    for (k in seq_along(coefs)) {
      values <- as.matrix(coefs[[k]])[, 1]
      out <<- rbind(out, data.frame(case = case, alpha = alpha, lambda = sprintf("%.17g", lambda[i]), output = k - 1,
                                    term = seq_along(values) - 1, coef = sprintf("%.17g", values)))
    }
  }
}
for (alpha in c(1, 0.5)) {
  run("dense", dense, rows$y, alpha)
  run("dense as it is", dense, rows$y, alpha, standardize = FALSE)
  run("penalty factors", dense, rows$y, alpha, penalty.factor = factors / mean(factors))
  run("bounds", dense, rows$y, alpha, standardize = FALSE, lower.limits = c(-Inf, -0.05, 0, -Inf), upper.limits = c(0.02, Inf, Inf, Inf))
  run("table", table, rows$y, alpha, standardize = FALSE)
  run("sparse", sparse, rows$y, alpha, standardize = FALSE)
  run("classes", dense, rows$class, alpha, family = "multinomial")
}
write.csv(out, "glmnet.csv", row.names = FALSE, quote = FALSE)
