//! the test kit shared by the end-to-end cases
