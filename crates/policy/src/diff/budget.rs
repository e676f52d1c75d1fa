//! How much work a walk may still be.

/// Steps: each is one pattern and one letter, and takes some nanoseconds.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    pub(super) fn new(steps: usize) -> Self {
        Self { left: steps }
    }

    /// False: there is no more.
    pub(super) fn spend(&mut self, steps: usize) -> bool {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.left = 0;
                false
            }
        }
    }

    /// Lets something be done with a part of it.
    pub(super) fn lend<T>(&mut self, steps: usize, what: impl FnOnce(&mut Self) -> T) -> T {
        let mut part = Self { left: steps.min(self.left) };
        self.left -= part.left;
        let done = what(&mut part);
        self.left += part.left;
        done
    }
}
