# Figures of R for tests/test_inference.py: run `Rscript inference.R` in this folder.
# R 4.2.2 with MASS 7.3-58, nnet 7.3-18, sandwich 3.0-2, survey 4.1-1, brglm2 0.9 and jsonlite, all of Debian 12.
# It writes a CSV of each data set and figures.json. The data: birthwt (Hosmer and Lemeshow, 1989) and menarche (Milicer
# and Szczotka, 1966) of MASS, infert (Trichopoulos et al., 1976) and esoph (Breslow and Day, 1980) of R itself.
library(MASS); library(nnet); library(sandwich); library(survey); library(brglm2); library(jsonlite)
tight <- glm.control(epsilon = 1e-15, maxit = 100)
# Standard errors are of the iteration before the last: fit again from the optimum.
logistic <- function(...) {
  call <- as.call(c(quote(glm), as.list(substitute(list(...)))[-1], quote(binomial), control = quote(tight)))
  f <- suppressWarnings(eval(call, globalenv()))
  call$start <- ifelse(is.na(coef(f)), 0, coef(f))
  suppressWarnings(eval(call, globalenv()))
}
number <- function(x) sprintf("%.17g", x)
cases <- list()

terms_of <- function(f) {
  s <- summary(f)$coefficients
  list(term = rownames(s), coef = number(s[, 1]), std_err = number(s[, 2]), z = number(s[, 3]), p = number(s[, 4]))
}
record <- function(name, f, test = NULL, cluster = NULL, extra = list()) {
  out <- c(terms_of(f), list(
    log_likelihood = number(as.numeric(logLik(f))), deviance = number(f$deviance),
    null_deviance = number(f$null.deviance), aic = number(AIC(f)), bic = number(BIC(f)),
    hc0 = number(sqrt(diag(vcovHC(f, type = "HC0")))), hc1 = number(sqrt(diag(vcovHC(f, type = "HC1")))),
    ci_lower = number(confint.default(f)[, 1]), ci_upper = number(confint.default(f)[, 2])), extra)
  if (!is.null(test)) {
    d <- drop1(f, as.formula(paste("~", test)), test = "LRT")
    out$test <- test; out$lr <- number(d$LRT[2]); out$lr_p <- number(d[["Pr(>Chi)"]][2]); out$df <- d$Df[2]
    i <- grep(paste0("^", test), names(coef(f))); b <- coef(f)[i]; v <- vcov(f)[i, i]
    out$wald <- number(as.numeric(t(b) %*% solve(v) %*% b))
  }
  if (!is.null(cluster)) {
    out$cluster_hc0 <- number(sqrt(diag(vcovCL(f, cluster = cluster, type = "HC0"))))
    out$cluster_hc1 <- number(sqrt(diag(vcovCL(f, cluster = cluster, type = "HC1"))))
  }
  cases[[name]] <<- out
}

b <- birthwt
b$race <- c("white", "black", "other")[b$race]
b$exposure <- b$age / 20
b$pweight <- 1 + (b$lwt %% 3)
b$clinic <- paste0("c", (seq_len(nrow(b)) * 7) %% 23)
b$offset <- log(b$exposure)
b$group <- c("none", "one", "more")[pmin(b$ftv, 2) + 1]
write.csv(b, "birthwt.csv", row.names = FALSE)
f <- logistic(low ~ age + lwt + race + smoke + ptl + ht + ui, data = b)
record("birthwt", f, test = "race", cluster = b$clinic)
f <- logistic(low ~ lwt + race + smoke, data = b, offset = b$offset)
record("birthwt offset", f, test = "race")
f <- logistic(low ~ lwt + race + smoke, data = b, weights = pweight)
record("birthwt frequency", f, test = "race")
f <- svyglm(low ~ lwt + race + smoke, svydesign(ids = ~1, weights = ~pweight, data = b), family = quasibinomial,
            control = tight)
cases[["birthwt sampling"]] <- list(term = names(coef(f)), coef = number(coef(f)), std_err = number(sqrt(diag(vcov(f)))))
f <- svyglm(low ~ lwt + race + smoke, svydesign(ids = ~clinic, weights = ~pweight, data = b), family = quasibinomial,
            control = tight)
cases[["birthwt sampling clusters"]] <-
  list(term = names(coef(f)), coef = number(coef(f)), std_err = number(sqrt(diag(vcov(f)))))
f <- glm(low ~ age + lwt + race + smoke + ptl + ht + ui, binomial, b, method = "brglm_fit", type = "AS_mean",
         epsilon = 1e-13, maxit = 1000)
cases[["birthwt firth"]] <- terms_of(f)
b$both <- b$age + 2 * b$lwt
tight <- glm.control(epsilon = 1e-9)  # glm takes a thousandth of it for what tells columns apart
f <- logistic(low ~ age + lwt + both + race, data = b)
tight <- glm.control(epsilon = 1e-15, maxit = 100)
cases[["birthwt aliased"]] <- c(terms_of(f), list(aliased = names(coef(f))[is.na(coef(f))]))

i <- infert
i$education <- as.character(i$education)
write.csv(i[, c("education", "age", "parity", "induced", "case", "spontaneous", "stratum")], "infert.csv", row.names = FALSE)
f <- logistic(case ~ education + age + parity + induced + spontaneous, data = i)
record("infert", f, test = "education", cluster = i$stratum)

m <- menarche
long <- rbind(data.frame(age = m$Age, menarche = 1, n = m$Menarche), data.frame(age = m$Age, menarche = 0, n = m$Total - m$Menarche))
write.csv(long, "menarche.csv", row.names = FALSE)
f <- logistic(cbind(Menarche, Total - Menarche) ~ Age, data = m)
cases[["menarche"]] <- terms_of(f)

e <- esoph
e <- data.frame(agegp = as.character(e$agegp), alcgp = as.character(e$alcgp), tobgp = as.character(e$tobgp),
                ncases = e$ncases, ncontrols = e$ncontrols)
long <- rbind(data.frame(e[, 1:3], case = 1, n = e$ncases), data.frame(e[, 1:3], case = 0, n = e$ncontrols))
write.csv(long, "esoph.csv", row.names = FALSE)
f <- logistic(cbind(ncases, ncontrols) ~ agegp + alcgp + tobgp, data = e)
cases[["esoph"]] <- terms_of(f)

f <- multinom(group ~ age + lwt + race + smoke, transform(b, group = relevel(factor(group), "more")), trace = FALSE,
              reltol = 1e-16, abstol = 1e-16, maxit = 10000)
s <- summary(f)
cases[["birthwt classes"]] <- list(class = rownames(s$coefficients), term = colnames(s$coefficients),
  coef = apply(s$coefficients, 2, number), std_err = apply(s$standard.errors, 2, number),
  log_likelihood = number(as.numeric(logLik(f))))

write(toJSON(list(tool = R.version.string, date = "2026-11-21", cases = cases), auto_unbox = TRUE, pretty = TRUE), "figures.json")
