//! The mathematics of Prophet (RULES section 3).
