//! Which of many filters an event passes, without a look at each filter.
//!
//! A filter lists prefixes of stream ids, event types, or both; an event passes if it matches one of
//! each list that there is. Filters with types are found by the type of the event, the others by the
//! beginning of its stream id.

use std::collections::{BTreeSet, HashMap};

/// One filter. `None` admits all, an empty list nothing. Names are compared byte by byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The beginnings of stream ids.
    pub stream_prefixes: Option<Vec<String>>,
    /// The event types.
    pub event_types: Option<Vec<String>>,
}

impl Filter {
    /// Whether an event of this stream and type passes.
    pub fn admits(&self, stream: &[u8], event_type: &[u8]) -> bool {
        let of_type = |types: &Vec<String>| types.iter().any(|one| one.as_bytes() == event_type);
        self.admits_stream(stream) && self.event_types.as_ref().is_none_or(of_type)
    }

    fn admits_stream(&self, stream: &[u8]) -> bool {
        let begins = |all: &Vec<String>| all.iter().any(|one| stream.starts_with(one.as_bytes()));
        self.stream_prefixes.as_ref().is_none_or(begins)
    }
}

/// Many filters, each known by its place in the list that they were made from.
#[derive(Default)]
pub struct Filters {
    all: Vec<Filter>,
    /// Those that admit every event.
    unconditional: Vec<usize>,
    by_type: HashMap<Vec<u8>, Vec<usize>>,
    /// Those without types.
    by_prefix: HashMap<Vec<u8>, Vec<usize>>,
    /// The lengths of the prefixes in `by_prefix`.
    lengths: BTreeSet<usize>,
}

impl Filters {
    /// Makes them from a list.
    pub fn new(all: Vec<Filter>) -> Self {
        let mut filters = Self::default();
        for (place, filter) in all.iter().enumerate() {
            match (&filter.event_types, &filter.stream_prefixes) {
                (Some(types), _) => {
                    for one in types {
                        let of_type = filters.by_type.entry(one.as_bytes().to_vec());
                        of_type.or_default().push(place);
                    }
                }
                (None, Some(prefixes)) => {
                    for one in prefixes {
                        filters.lengths.insert(one.len());
                        let beginning = filters.by_prefix.entry(one.as_bytes().to_vec());
                        beginning.or_default().push(place);
                    }
                }
                (None, None) => filters.unconditional.push(place),
            }
        }
        filters.all = all;
        filters
    }

    /// The list that they were made from.
    pub fn all(&self) -> &[Filter] {
        &self.all
    }

    /// Calls `found` with the place of each filter that an event of this stream and type passes. It
    /// may name a place more than once.
    pub fn find(&self, stream: &[u8], event_type: &[u8], mut found: impl FnMut(usize)) {
        self.unconditional.iter().copied().for_each(&mut found);
        let of_type = self.by_type.get(event_type).into_iter().flatten().copied();
        of_type
            .filter(|place| self.all[*place].admits_stream(stream))
            .for_each(&mut found);
        for length in self.lengths.range(..=stream.len()) {
            let beginning = self.by_prefix.get(&stream[..*length]);
            beginning
                .into_iter()
                .flatten()
                .copied()
                .for_each(&mut found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(prefixes: Option<&[&str]>, types: Option<&[&str]>) -> Filter {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Filter {
            stream_prefixes: prefixes.map(names),
            event_types: types.map(names),
        }
    }

    fn found(filters: &Filters, stream: &str, event_type: &str) -> BTreeSet<usize> {
        let mut places = BTreeSet::new();
        filters.find(stream.as_bytes(), event_type.as_bytes(), |place| {
            places.insert(place);
        });
        places
    }

    #[test]
    fn an_empty_list_admits_nothing_and_an_empty_prefix_every_stream() {
        let filters = Filters::new(vec![
            filter(Some(&[]), None),
            filter(None, Some(&[])),
            filter(Some(&[]), Some(&["A"])),
            filter(Some(&[""]), None),
            filter(Some(&["", "x"]), Some(&["A", "B"])),
            filter(None, None),
        ]);
        assert_eq!(found(&filters, "x", "A"), [3, 4, 5].into());
        assert_eq!(found(&filters, "y", "C"), [3, 5].into());
    }

    #[test]
    fn a_prefix_may_end_within_a_letter_of_the_stream_and_may_be_the_whole_of_it() {
        let filters = Filters::new(vec![
            filter(Some(&["é"]), None),
            filter(Some(&["account-1"]), None),
        ]);
        assert_eq!(found(&filters, "é", "A"), [0].into());
        assert_eq!(found(&filters, "è", "A"), BTreeSet::new());
        assert_eq!(found(&filters, "account-1", "A"), [1].into());
        assert_eq!(found(&filters, "account-", "A"), BTreeSet::new());
    }

    /// All filters of up to two of these prefixes and types, and all streams and types.
    #[test]
    fn each_event_finds_exactly_the_filters_that_admit_it() {
        let lists = |of: &[&str]| {
            let mut lists = vec![None, Some(Vec::new())];
            for (at, one) in of.iter().enumerate() {
                lists.push(Some(vec![(*one).to_owned()]));
                let pairs = of[at..].iter();
                lists.extend(pairs.map(|other| Some(vec![(*one).to_owned(), (*other).to_owned()])));
            }
            lists
        };
        let mut all = Vec::new();
        for stream_prefixes in lists(&["", "a", "ab", "abc", "b", "ä"]) {
            for event_types in lists(&["A", "B", "", "AB"]) {
                all.push(Filter {
                    stream_prefixes: stream_prefixes.clone(),
                    event_types,
                });
            }
        }
        let filters = Filters::new(all);
        for stream in ["", "a", "ab", "abcd", "b", "ba", "c", "ä", "äb"] {
            for event_type in ["A", "B", "C", "", "AB"] {
                let admits =
                    |filter: &Filter| filter.admits(stream.as_bytes(), event_type.as_bytes());
                let wanted = filters.all().iter().enumerate();
                let wanted = wanted.filter(|(_, filter)| admits(filter));
                let wanted: BTreeSet<_> = wanted.map(|(place, _)| place).collect();
                assert_eq!(
                    found(&filters, stream, event_type),
                    wanted,
                    "{stream} {event_type}"
                );
            }
        }
    }
}
