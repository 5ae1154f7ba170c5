//! The names of all grants of a machine.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::name::GrantName;
use crate::tight::push;

/// The names of all grants of a machine, by their numbers and the other way round: less than seven bytes a grant beside its
/// text, where a map with a text for each would take a hundred.
#[derive(Debug)]
pub(crate) struct Names {
    /// All names, one after the other.
    text: String,
    /// How long each of them is: a name has 64 bytes at most.
    lengths: Vec<u8>,
    /// Where each block of names begins.
    begins: Vec<usize>,
    /// Numbers of grants, each at the place that the hash of its name says, or at the next free one. An eighth of them is
    /// free at least.
    places: Vec<u32>,
    /// Names may come from users. With a seed that they do not know, they cannot choose names with the same place.
    seed: u64,
}

/// A free place.
const FREE: u32 = u32::MAX;
/// How many names a block has.
const BLOCK: usize = 16;

impl Names {
    pub(crate) fn new(seed: u64) -> Self {
        Self { text: String::new(), lengths: Vec::new(), begins: Vec::new(), places: vec![FREE; 16], seed }
    }

    /// The number of the grant of this name.
    pub(crate) fn find(&self, name: &GrantName) -> Option<u32> {
        let here = |place: usize| self.places.get(place).copied().unwrap_or(FREE);
        let mut numbers = self.places_of(name.as_str()).map(here).take_while(|number| *number != FREE);
        numbers.find(|number| self.text_of(*number) == name.as_str())
    }

    /// Adds a name that is not there yet. Its number is the next one.
    pub(crate) fn add(&mut self, name: &GrantName) {
        let count = self.lengths.len();
        let (Ok(number), Ok(length)) = (u32::try_from(count), u8::try_from(name.as_str().len())) else { return };
        if count % BLOCK == 0 {
            push(&mut self.begins, self.text.len());
        }
        push(&mut self.lengths, length);
        crate::tight::reserve_text(&mut self.text, name.as_str().len());
        self.text.push_str(name.as_str());
        self.put(number);
        let places = self.places.len();
        if count >= places.saturating_sub(places / 8) {
            // An eighth more, and not twice as many: each number is put into a place nine times on average.
            self.places = vec![FREE; places.saturating_add(places / 8)];
            (0..=number).for_each(|number| self.put(number));
        }
    }

    /// The name of a grant.
    pub(crate) fn name(&self, number: u32) -> GrantName {
        GrantName::of_checked(self.text_of(number))
    }

    fn text_of(&self, number: u32) -> &str {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let first = index.saturating_sub(index % BLOCK);
        let text = || {
            let before: usize = self.lengths.get(first..index)?.iter().map(|length| usize::from(*length)).sum();
            let begin = self.begins.get(index / BLOCK)?.checked_add(before)?;
            self.text.get(begin..begin.checked_add(usize::from(*self.lengths.get(index)?))?)
        };
        text().unwrap_or_default()
    }

    fn put(&mut self, number: u32) {
        let free = |place: &usize| self.places.get(*place) == Some(&FREE);
        let place = self.places_of(self.text_of(number)).find(free);
        if let Some(place) = place.and_then(|place| self.places.get_mut(place)) {
            *place = number;
        }
    }

    /// All places, in the order in which a name is looked for.
    fn places_of(&self, name: &str) -> impl Iterator<Item = usize> + use<> {
        let mut hasher = DefaultHasher::new();
        (self.seed, name).hash(&mut hasher);
        let count = self.places.len();
        // The upper half of the hash is a part of one: this part of all places.
        let part = (hasher.finish() >> 32).saturating_mul(u64::try_from(count).unwrap_or(u64::MAX));
        let first = usize::try_from(part >> 32).unwrap_or(0);
        (first..count).chain(0..first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u32) -> GrantName {
        format!("grant-{number}").parse().unwrap()
    }

    #[test]
    fn names_and_numbers_belong_together() {
        let mut names = Names::new(7);
        for number in 0..10_000 {
            assert_eq!(names.find(&name(number)), None);
            names.add(&name(number));
            assert_eq!(names.find(&name(number)), Some(number));
        }
        for number in 0..10_000 {
            assert_eq!(names.find(&name(number)), Some(number));
            assert_eq!(names.name(number), name(number));
        }
        assert_eq!(names.find(&name(10_000)), None);
    }

    #[test]
    fn a_name_takes_less_than_seven_bytes_beside_its_text() {
        let mut names = Names::new(7);
        // Of a few names, what is reserved counts for more.
        (0..1000).for_each(|number| names.add(&name(number)));
        for number in 1000..100_000 {
            names.add(&name(number));
            let others = size_of_val(&*names.places) + names.lengths.capacity() + names.begins.capacity() * 8;
            assert!(others < 7 * (number as usize + 1), "{number}: {others}");
        }
    }

    #[test]
    fn another_seed_puts_names_into_other_places() {
        let [one, two] = [1, 2].map(|seed| {
            let mut names = Names::new(seed);
            (0..10).for_each(|number| names.add(&name(number)));
            names.places
        });
        assert_ne!(one, two);
    }
}
