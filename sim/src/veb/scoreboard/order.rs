//! The explanations of what has left a port so far, as far as order is concerned.

/// Explanations that are kept at a port.
pub const LIMIT: usize = 128;

/// A frame: the `number`-th, from 1, that entered at port `source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId {
    pub source: usize,
    pub number: u64,
}

/// All explanations of what has left one port: for each source, the lowest number of a frame that may still leave.
///
/// There are none while order is not checked.
#[derive(Clone, Debug)]
pub struct Order {
    explanations: Vec<Vec<u64>>,
    /// Sources whose frames may overtake each other.
    unordered: Vec<bool>,
}

/// What became of a frame that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is in order; in one explanation it is this frame.
    Frame(FrameId),
    /// By no explanation it is in order.
    OutOfOrder,
    /// There are too many explanations to check its order.
    Unchecked,
}

impl Order {
    /// Nothing has left.
    pub fn new(source_count: usize) -> Self {
        Self { explanations: vec![vec![1; source_count]], unordered: vec![false; source_count] }
    }

    /// From now on frames of this source may overtake each other.
    pub fn ignore(&mut self, source: usize) {
        self.unordered[source] = true;
    }

    /// A frame leaves. `next_of(source, lowest)` is the number of the first frame of the source, from `lowest` on, that is
    /// equal to it.
    ///
    /// Of several equal frames of one source the first one is as good as any: it leaves the most frames to come.
    pub fn take(&mut self, next_of: impl Fn(usize, u64) -> Option<u64>) -> Taken {
        if self.explanations.is_empty() {
            return Taken::Unchecked;
        }
        let mut first = None;
        let mut following = Vec::new();
        for explanation in &self.explanations {
            for (source, &lowest) in explanation.iter().enumerate() {
                let Some(number) = next_of(source, lowest) else { continue };
                first.get_or_insert(FrameId { source, number });
                let mut next = explanation.clone();
                if !self.unordered[source] {
                    next[source] = number + 1;
                }
                following.push(next);
            }
        }
        let Some(id) = first else { return Taken::OutOfOrder };
        self.explanations = least(following);
        if self.explanations.len() > LIMIT {
            self.explanations.clear();
        }
        Taken::Frame(id)
    }

    /// All that was due has left: every explanation has come to the same.
    pub fn settle(&mut self, entered: &[u64]) {
        if self.explanations.len() != 1 {
            let next = entered.iter().zip(&self.unordered);
            self.explanations = vec![next.map(|(number, free)| if *free { 1 } else { number + 1 }).collect()];
        }
    }

    /// Whether the frame can leave no more, in any explanation.
    pub fn has_passed(&self, id: FrameId) -> bool {
        self.explanations.iter().all(|lowest| id.number < lowest[id.source])
    }
}

/// The explanations that no other one is as good as: `a` is as good as `b` if it is further in no source.
fn least(mut explanations: Vec<Vec<u64>>) -> Vec<Vec<u64>> {
    if explanations.len() < 2 {
        return explanations;
    }
    // Sorted, an explanation can only be as good as later ones.
    explanations.sort_unstable();
    let mut kept: Vec<Vec<u64>> = Vec::new();
    for explanation in explanations {
        let is_no_better = |other: &Vec<u64>| other.iter().zip(&explanation).all(|(a, b)| a <= b);
        if !kept.iter().any(is_no_better) {
            kept.push(explanation);
            if kept.len() > LIMIT {
                break;
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_explanations_are_kept() {
        let explanations = [[2, 1], [1, 2], [2, 2], [1, 2], [1, 3]].map(|pair| pair.to_vec());
        assert_eq!(least(explanations.to_vec()), [[1, 2], [2, 1]]);
    }

    #[test]
    fn equal_heads_are_told_apart_by_what_follows() {
        // Source 0 sends X A, source 1 sends X B. Out come X, B: the first X was of source 1.
        let content = |text: char| {
            move |source: usize, lowest: u64| {
                (lowest..=2)
                    .find(|&number| ["XA", "XB"][source].chars().nth(number as usize - 1) == Some(text))
            }
        };
        let mut order = Order::new(2);
        assert_eq!(order.take(content('X')), Taken::Frame(FrameId { source: 0, number: 1 }));
        assert_eq!(order.explanations, [[1, 2], [2, 1]]);
        assert!(!order.has_passed(FrameId { source: 0, number: 1 }));
        assert_eq!(order.take(content('B')), Taken::Frame(FrameId { source: 1, number: 2 }));
        // Or source 1's X was lost and the X was of source 0; that is no better for what is to come.
        assert_eq!(order.explanations, [[1, 3]]);
        assert_eq!(order.take(content('B')), Taken::OutOfOrder);
        assert_eq!(order.take(content('X')), Taken::Frame(FrameId { source: 0, number: 1 }));
        assert_eq!(order.take(content('X')), Taken::OutOfOrder);
        assert_eq!(order.take(content('A')), Taken::Frame(FrameId { source: 0, number: 2 }));
    }

    #[test]
    fn frames_that_may_overtake() {
        let mut order = Order::new(2);
        order.ignore(1);
        let frame =
            |source, number| move |of: usize, lowest| (of == source && lowest <= number).then_some(number);
        assert_eq!(order.take(frame(1, 2)), Taken::Frame(FrameId { source: 1, number: 2 }));
        assert_eq!(order.take(frame(1, 1)), Taken::Frame(FrameId { source: 1, number: 1 }));
        assert_eq!(order.take(frame(0, 2)), Taken::Frame(FrameId { source: 0, number: 2 }));
        assert_eq!(order.take(frame(0, 1)), Taken::OutOfOrder);
    }

    #[test]
    fn too_many_explanations_end_the_check_until_all_has_left() {
        let mut order = Order::new(20);
        let anything = |_: usize, lowest: u64| Some(lowest);
        assert!(matches!(order.take(anything), Taken::Frame(_)));
        assert!(matches!(order.take(anything), Taken::Frame(_)));
        assert_eq!(order.take(anything), Taken::Unchecked);
        order.settle(&[3; 20]);
        assert_eq!(order.explanations, [vec![4; 20]]);
        assert_eq!(order.take(|_, _| None), Taken::OutOfOrder);
    }
}
