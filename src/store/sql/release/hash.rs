//! What stands for texts of strangers in keys: those may be of any length and hold anything.

use aws_lc_rs::digest::{Context, SHA256};

/// Stands for these texts in this order. Of 16 bytes: whoever takes the trouble to find two that share
/// them has confused two names of their own.
pub(super) fn of(texts: &[&str]) -> [u8; 16] {
    let mut context = Context::new(&SHA256);
    for text in texts {
        context.update(&text.len().to_be_bytes());
        context.update(text.as_bytes());
    }
    let mut short = [0; 16];
    short.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    short
}
