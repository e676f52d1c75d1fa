//! What is wrong with flags, gates and exceptions, and what is said to it.
