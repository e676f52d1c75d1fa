//! JSON Schemas (draft 2020-12) of policy files and of case files, for editors.
//!
//! An editor that knows them completes keys, shows what they mean and underlines most mistakes while
//! they are made. What they cannot say, such as that a group exists, is for [`crate::Policy::compile`]
//! to say. Tests hold them to what the readers of the files accept.

/// Of a policy file.
pub const POLICY: &str = include_str!("schema/policy.json");

/// Of a file of test cases.
pub const CASES: &str = include_str!("schema/cases.json");
