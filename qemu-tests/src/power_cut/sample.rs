use std::collections::BTreeMap;

use super::choice::Bounds;
use super::replay::Replay;
use super::states::{CrashState, States};

/// Some of the crash states of a recording.
#[derive(Clone, Debug)]
pub struct Sample<'a> {
    /// In the order of the recording, each once.
    pub states: Vec<CrashState<'a>>,
    /// How many different ones there were to choose from.
    pub of: usize,
}

impl Replay {
    /// At most `most` states, and so many where there are so many: such that every stretch between two flushes gets as
    /// many of them as any other, as far as it has so many; the state before the first write and the complete one are
    /// among them. States with the same bytes and marks count as one, and are chosen as one.
    pub fn sample(&self, bounds: Bounds, most: usize) -> Sample<'_> {
        let (epochs, states): (Vec<usize>, Vec<CrashState<'_>>) =
            distinct(self, bounds).into_iter().unzip();
        let chosen = of_epochs(&epochs, most);
        let numbered = states.into_iter().enumerate();
        let taken = numbered.filter(|(number, _)| chosen.binary_search(number).is_ok());
        Sample {
            states: taken.map(|(_, state)| state).collect(),
            of: epochs.len(),
        }
    }
}

/// Each state once, with the number of its stretch. The complete one stands at the end, wherever it comes up first.
fn distinct(replay: &Replay, bounds: Bounds) -> Vec<(usize, CrashState<'_>)> {
    let complete = replay.complete();
    let mut states = States::new(replay, bounds);
    states.pass_over(&complete);
    let (mut epoch, mut found) = (0, Vec::new());
    while states.advance() {
        while let Some(picks) = states.queue.pop_front() {
            found.extend(states.unseen(picks).map(|state| (epoch, state)));
        }
        epoch += 1;
    }
    found.push((epoch, complete));
    found
}

/// Numbers of states of which each is given by the stretch it is in.
fn of_epochs(epochs: &[usize], most: usize) -> Vec<usize> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, epoch) in epochs.iter().enumerate() {
        members.entry(*epoch).or_default().push(number);
    }
    let last = epochs.len().saturating_sub(1);
    let mut chosen: Vec<usize> = epochs.first().map(|_| 0).into_iter().collect();
    if last > 0 {
        chosen.push(last);
    }
    let mut left = most.saturating_sub(chosen.len());
    // Each round takes one state of every stretch that has one left, from another place in each.
    for round in 0.. {
        let of_round = members.values().enumerate().filter_map(|(epoch, members)| {
            let at = (round < members.len()).then(|| (epoch * 7 + round) % members.len())?;
            members.get(at).copied()
        });
        let of_round: Vec<usize> = of_round.collect();
        if of_round.is_empty() || left == 0 {
            break;
        }
        let fresh: Vec<usize> = of_round
            .into_iter()
            .filter(|number| !chosen.contains(number))
            .collect();
        let taken = fresh.len().min(left);
        chosen.extend((0..taken).map(|index| fresh[(index * 2 + 1) * fresh.len() / (taken * 2)]));
        left -= taken;
    }
    chosen.sort_unstable();
    chosen.truncate(most);
    chosen
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::power_cut::states::tests::{event, made};

    #[test]
    fn a_long_stretch_gets_no_more_than_the_others() {
        let mut epochs = vec![0; 100];
        epochs.extend([1; 4].into_iter().chain([2; 4]).chain([3; 4]));
        let chosen = of_epochs(&epochs, 10);
        let (chosen, epochs) = (&chosen, &epochs);
        let of = |epoch: usize| {
            chosen
                .iter()
                .filter(move |number| epochs[**number] == epoch)
                .count()
        };
        let counts = [0, 1, 2, 3].map(of);
        assert!(
            counts.iter().all(|count| (2..=3).contains(count)),
            "{counts:?}"
        );
        assert_eq!(of_epochs(epochs, usize::MAX).len(), epochs.len());
    }

    proptest! {
        #[test]
        fn as_many_as_wanted_are_chosen_each_once_with_the_first_and_the_last(
            steps in proptest::collection::vec(0..2_usize, 1..60), most in 2..70_usize,
        ) {
            let mut epoch = 0;
            let epochs: Vec<usize> = steps.iter().map(|step| { epoch += step; epoch }).collect();
            let chosen = of_epochs(&epochs, most);
            prop_assert_eq!(chosen.len(), most.min(epochs.len()));
            prop_assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(chosen.contains(&0) && chosen.contains(&(epochs.len() - 1)));
        }

        #[test]
        fn a_sample_is_of_different_states_from_the_first_to_the_complete_one(
            mut events in proptest::collection::vec(event(), 0..14), most in 2..40_usize,
        ) {
            // Two values only: many states have the same bytes.
            for (number, (_, _, bytes)) in (0..).zip(&mut events) {
                bytes.fill(number % 2 + 1);
            }
            let made = made(&events);
            let states: Vec<u128> = made.replay.states(Bounds::default()).map(|it| it.fingerprint()).collect();
            let sample = made.replay.sample(Bounds::default(), most);
            prop_assert_eq!(sample.of, states.len());
            let prints: Vec<u128> = sample.states.iter().map(CrashState::fingerprint).collect();
            prop_assert_eq!(prints.len(), most.min(states.len()));
            let different: BTreeSet<&u128> = prints.iter().collect();
            prop_assert_eq!(different.len(), prints.len());
            let complete = made.replay.complete().fingerprint();
            prop_assert_eq!(prints.last(), Some(&complete));
            prop_assert!(states.first() == prints.first() || states.first() == Some(&complete));
        }
    }
}
