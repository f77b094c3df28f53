//! A macro of the edition of 2015, in which a path that begins with `::` begins in the crate that uses the macro.

/// Calls a macro with a type's name, `Field`, that is spelled here.
#[macro_export]
macro_rules! field {
    ($make:ident) => {
        $make! { Field }
    };
}
