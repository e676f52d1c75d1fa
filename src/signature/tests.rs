mod bundles;
mod gathering;
mod keys;
mod simple;
