"""What an analyst would write without zeroloop: `python benchmarks/pipeline.py flights.csv late`."""

import sys

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

frame = pd.read_csv(sys.argv[1])
y = frame.pop(sys.argv[2])
numeric = frame.select_dtypes("number").columns
text = frame.select_dtypes(exclude="number").columns
model = make_pipeline(
    make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), numeric),
        (OneHotEncoder(handle_unknown="ignore"), text),
    ),
    LogisticRegression(max_iter=1_000),
)
X_train, X_test, y_train, y_test = train_test_split(frame, y, test_size=0.2, random_state=0)
model.fit(X_train, y_train)
p = model.predict_proba(X_test)[:, 1]
print(f"log loss {log_loss(y_test, p):.4f}, AUC {roc_auc_score(y_test, p):.4f}")
