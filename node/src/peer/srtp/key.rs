use std::mem::{ManuallyDrop, MaybeUninit, size_of};

/// A key that is wiped when it is not needed any more. Its place does not change from here on, so that no further copy is left behind.
pub(super) struct Key<T>(Box<ManuallyDrop<T>>);

impl<T> Key<T> {
    pub(super) fn new(key: T) -> Self {
        Self(Box::new(ManuallyDrop::new(key)))
    }

    pub(super) fn get(&self) -> &T {
        &self.0
    }
}

impl<T> Drop for Key<T> {
    #[allow(
        unsafe_code,
        reason = "nothing else is sure to be written before memory is given back"
    )]
    fn drop(&mut self) {
        // SAFETY: this is the only place where it ends, and nobody looks at it afterwards.
        unsafe { ManuallyDrop::drop(&mut self.0) };
        let start: *mut MaybeUninit<u8> = (&raw mut *self.0).cast();
        for at in 0..size_of::<T>() {
            // SAFETY: it is within the box, which is ours; and the key has ended.
            unsafe { start.add(at).write_volatile(MaybeUninit::new(0)) };
        }
    }
}
