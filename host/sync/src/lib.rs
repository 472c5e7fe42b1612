//! the sync pipeline: detect, extract, commit, read changes, merge
