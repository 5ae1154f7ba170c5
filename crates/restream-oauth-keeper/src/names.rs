//! The names of all grants of a machine.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::name::GrantName;
use crate::tight::push;

/// The names of all grants of a machine, by their numbers and the other way round: some 25 bytes a grant, where a map
/// with a text for each would take a hundred.
#[derive(Debug)]
pub(crate) struct Names {
    /// All names, one after the other.
    text: String,
    /// Where each name ends.
    ends: Vec<usize>,
    /// Numbers of grants, each at the place that the hash of its name says, or at the next free one. Its length is a
    /// power of two, and an eighth of it is free at least.
    places: Vec<u32>,
    /// Names may come from users. With a seed that they do not know, they cannot choose names with the same place.
    seed: u64,
}

/// A free place.
const FREE: u32 = u32::MAX;

impl Names {
    pub(crate) fn new(seed: u64) -> Self {
        Self { text: String::new(), ends: Vec::new(), places: vec![FREE; 16], seed }
    }

    /// The number of the grant of this name.
    pub(crate) fn find(&self, name: &GrantName) -> Option<u32> {
        let here = |place: &usize| self.places.get(*place).copied().unwrap_or(FREE);
        let numbers = self.places_of(name.as_str()).map(|place| here(&place)).take_while(|number| *number != FREE);
        numbers.into_iter().find(|number| self.text_of(*number) == name.as_str())
    }

    /// Adds a name that is not there yet. Its number is the next one.
    pub(crate) fn add(&mut self, name: &GrantName) {
        let Ok(number) = u32::try_from(self.ends.len()) else { return };
        crate::tight::reserve_text(&mut self.text, name.as_str().len());
        self.text.push_str(name.as_str());
        push(&mut self.ends, self.text.len());
        self.put(number);
        if self.ends.len() > self.places.len().saturating_sub(self.places.len() / 8) {
            self.places = vec![FREE; self.places.len().saturating_mul(2)];
            (0..=number).for_each(|number| self.put(number));
        }
    }

    /// The name of a grant.
    pub(crate) fn name(&self, number: u32) -> GrantName {
        GrantName::of_checked(self.text_of(number))
    }

    fn text_of(&self, number: u32) -> &str {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let begin = index.checked_sub(1).map_or(Some(&0), |before| self.ends.get(before));
        let range = begin.zip(self.ends.get(index)).map(|(begin, end)| *begin..*end);
        range.and_then(|range| self.text.get(range)).unwrap_or_default()
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
        let first = usize::try_from(hasher.finish() & u64::from(u32::MAX)).unwrap_or(0);
        let count = self.places.len();
        (0..count).map(move |step| first.wrapping_add(step) & count.wrapping_sub(1))
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
    fn another_seed_puts_names_into_other_places() {
        let [one, two] = [1, 2].map(|seed| {
            let mut names = Names::new(seed);
            (0..10).for_each(|number| names.add(&name(number)));
            names.places
        });
        assert_ne!(one, two);
    }
}
