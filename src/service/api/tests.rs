mod authority;
mod form;
mod lifecycle;
mod scene;
