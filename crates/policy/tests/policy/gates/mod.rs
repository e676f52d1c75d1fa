//! Release gates: which stand before an image, and what they say to it.

mod before;
mod cases;
mod judged;
mod known;
mod mistakes;
mod properties;
mod reference;
