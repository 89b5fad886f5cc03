/// Where a picture stands in time: whether others build upon it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Later pictures may build upon it. Keyframes are of this layer, and so is whatever nothing is known of.
    #[default]
    Base,
    /// Nothing builds upon it: whoever leaves it out decodes all the others as if it had been there.
    Upper,
}
