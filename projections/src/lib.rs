//! Folds of the log into views.
