//! Generic signatures of classes (Java virtual machine specification, "Signatures"), as far as types are erased from
//! them: Pulsar looks at the class of a type, never at its arguments.

use std::collections::HashMap;

/// Types nested deeper are no honest signature.
const DEPTH_LIMIT: usize = 64;

/// What stands for a type that nothing is known of.
const OBJECT: &str = "Ljava/lang/Object;";

/// A type without its arguments, as a descriptor: `Ljava/lang/String;`, `[B`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Erased {
    descriptor: String,
    /// False where a raw type or an unbound variable left only `Object`.
    pub(super) is_known: bool,
}

impl Erased {
    /// `Object`, for want of anything better.
    pub(super) fn unknown() -> Self {
        Self { descriptor: OBJECT.to_owned(), is_known: false }
    }

    fn known(descriptor: String) -> Self {
        Self { descriptor, is_known: true }
    }

    /// As `Class.getName` writes it, which is what Pulsar takes: `java.lang.String`, `[B`, `[Ljava.lang.String;`.
    pub(super) fn class_name(&self) -> String {
        let dotted = self.descriptor.replace('/', ".");
        let plain = dotted.strip_prefix('L').and_then(|rest| rest.strip_suffix(';'));
        plain.map(str::to_owned).unwrap_or(dotted)
    }
}

/// A supertype with its erased arguments; none if it is used raw, or is not generic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Supertype {
    pub(super) class: String,
    pub(super) arguments: Vec<Erased>,
}

/// The superclass and the interfaces that a signature names, with what its class's own parameters stand for filled
/// in. `None` if it is not one.
pub(super) fn supertypes(signature: &str, arguments: &[Erased]) -> Option<Vec<Supertype>> {
    let mut reader = Reader { rest: signature, variables: HashMap::new(), depth: 0 };
    reader.type_parameters(arguments)?;
    let mut found = Vec::new();
    while !reader.rest.is_empty() {
        found.push(reader.class_type()?);
    }
    Some(found)
}

struct Reader<'a> {
    rest: &'a str,
    variables: HashMap<&'a str, Erased>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, letter: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(letter) else { return false };
        self.rest = rest;
        true
    }

    /// Up to one of the given letters, which is left.
    fn until(&mut self, ends: &[char]) -> Option<&'a str> {
        let (found, rest) = self.rest.split_at(self.rest.find(ends)?);
        self.rest = rest;
        Some(found)
    }

    /// `<T:Ljava/lang/Object;K::Ljava/lang/Comparable<TK;>;>`, with what is given for them.
    fn type_parameters(&mut self, arguments: &[Erased]) -> Option<()> {
        if !self.take('<') {
            return Some(());
        }
        let mut arguments = arguments.iter();
        while !self.take('>') {
            let name = self.until(&[':'])?;
            let bound = self.bound()?;
            self.variables.insert(name, arguments.next().cloned().unwrap_or(bound));
        }
        Some(())
    }

    /// The first bound is what a variable is erased to. A bound other than `Object` says something.
    fn bound(&mut self) -> Option<Erased> {
        let mut first = None;
        while self.take(':') {
            if !self.rest.starts_with(':') && !self.rest.starts_with('>') {
                let bound = self.reference_type()?;
                first.get_or_insert(bound);
            }
        }
        Some(first.filter(|bound| bound.descriptor != OBJECT).unwrap_or_else(Erased::unknown))
    }

    fn reference_type(&mut self) -> Option<Erased> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return None;
        }
        let found = match self.rest.chars().next()? {
            'T' => self.variable()?,
            '[' => self.array()?,
            _ => Erased::known(format!("L{};", self.class_type()?.class)),
        };
        self.depth -= 1;
        Some(found)
    }

    fn variable(&mut self) -> Option<Erased> {
        let name = self.until(&[';'])?.strip_prefix('T')?;
        self.take(';');
        Some(self.variables.get(name).cloned().unwrap_or_else(Erased::unknown))
    }

    fn array(&mut self) -> Option<Erased> {
        let dimensions = self.rest.len() - self.rest.trim_start_matches('[').len();
        self.rest = self.rest.get(dimensions..)?;
        let element = match self.rest.chars().next()? {
            letter @ ('B' | 'C' | 'D' | 'F' | 'I' | 'J' | 'S' | 'Z') => {
                self.take(letter);
                Erased::known(letter.to_string())
            }
            _ => self.reference_type()?,
        };
        Some(Erased { descriptor: "[".repeat(dimensions) + &element.descriptor, ..element })
    }

    /// `Lx/Outer<TT;>.Inner<TK;>;`: the class is `x/Outer$Inner`, the arguments are the last ones.
    fn class_type(&mut self) -> Option<Supertype> {
        if !self.take('L') {
            return None;
        }
        let mut class = self.until(&['<', '.', ';'])?.to_owned();
        let mut arguments = self.type_arguments()?;
        while self.take('.') {
            class.push('$');
            class.push_str(self.until(&['<', '.', ';'])?);
            arguments = self.type_arguments()?;
        }
        self.take(';').then_some(Supertype { class, arguments })
    }

    fn type_arguments(&mut self) -> Option<Vec<Erased>> {
        let mut arguments = Vec::new();
        if !self.take('<') {
            return Some(arguments);
        }
        while !self.take('>') {
            arguments.push(self.type_argument()?);
        }
        Some(arguments)
    }

    fn type_argument(&mut self) -> Option<Erased> {
        if self.take('*') {
            return Some(Erased::unknown());
        }
        let is_lower_bound = self.take('-');
        let _is_upper_bound = self.take('+');
        let found = self.reference_type()?;
        Some(if is_lower_bound { Erased::unknown() } else { found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(signature: &str, arguments: &[&str]) -> Option<(String, Vec<String>)> {
        let arguments: Vec<Erased> = arguments.iter().map(|text| Erased::known((*text).to_owned())).collect();
        let found = supertypes(signature, &arguments)?.pop()?;
        let name = |argument: &Erased| format!("{}{}", argument.class_name(), if argument.is_known { "" } else { "?" });
        Some((found.class, found.arguments.iter().map(name).collect()))
    }

    #[test]
    fn supertypes_with_their_arguments() {
        for (signature, arguments, class, expected) in [
            ("Ljava/lang/Object;LF<Ljava/lang/String;Ljava/lang/Integer;>;", &[][..], "F", &["java.lang.String", "java.lang.Integer"][..]),
            ("Ljava/lang/Object;LF;", &[], "F", &[]),
            ("LF<[B[[Ljava/lang/String;>;", &[], "F", &["[B", "[[Ljava.lang.String;"]),
            ("LF<Ljava/util/List<Ljava/util/Map<TK;*>;>;Lx/Outer<TT;>.Inner<*>;>;", &[], "F", &["java.util.List", "x.Outer$Inner"]),
            ("<T:Ljava/lang/Object;>Lx/B<TT;[TT;>;", &[], "x/B", &["java.lang.Object?", "[Ljava.lang.Object;?"]),
            ("<T:Ljava/lang/Object;>Lx/B<TT;[TT;>;", &["Ljava/lang/Long;"], "x/B", &["java.lang.Long", "[Ljava.lang.Long;"]),
            ("<T:Ljava/lang/Number;>Lx/B<TT;>;", &[], "x/B", &["java.lang.Number"]),
            ("<T::Ljava/lang/Comparable<TT;>;K:TT;>Lx/B<TK;>;", &[], "x/B", &["java.lang.Comparable"]),
            ("<T:>Lx/B<TT;TU;>;", &[], "x/B", &["java.lang.Object?", "java.lang.Object?"]),
            ("Lx/B<+Lx/C;-Lx/C;*>;", &[], "x/B", &["x.C", "java.lang.Object?", "java.lang.Object?"]),
        ] {
            let expected = (class.to_owned(), expected.iter().map(|text| (*text).to_owned()).collect());
            assert_eq!(last(signature, arguments), Some(expected), "{signature}");
        }
    }

    #[test]
    fn supertypes_of_nonsense_are_none() {
        let deep = "LF<".repeat(10_000);
        for signature in ["L", "LF", "LF<", "LF<>", "LF<I>;", "<T", "<T:", "<T:Lx;", "LF<T>;", "LF<[>;", "LF;x", "ü", "LF<L;", &deep] {
            assert_eq!(supertypes(signature, &[]), None, "{signature:.20}");
        }
    }
}
