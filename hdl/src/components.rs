//! Strongly connected components of a graph, which are its loops and the order to evaluate it in.

/// The strongly connected components that `roots` reach among the vertices `0..count`, each after those it depends
/// on. `dependencies` tells what a vertex needs.
pub(crate) fn components(
    count: usize,
    roots: impl IntoIterator<Item = usize>,
    mut dependencies: impl FnMut(usize, &mut Vec<usize>),
) -> Vec<Vec<usize>> {
    const UNSEEN: u32 = u32::MAX;
    // Tarjan's algorithm with a stack of its own: chains of logic can be longer than a thread's stack is deep.
    let mut order = vec![UNSEEN; count];
    let mut low = vec![0u32; count];
    let mut on_path = vec![false; count];
    let mut path = vec![];
    let mut next = 0;
    let mut out = vec![];
    // A vertex under way and where its unvisited dependencies end and start in `pending`.
    let mut calls: Vec<(usize, usize)> = vec![];
    let mut pending: Vec<usize> = vec![];
    let mut enter = |vertex: usize,
                     order: &mut Vec<u32>,
                     low: &mut Vec<u32>,
                     calls: &mut Vec<(usize, usize)>,
                     pending: &mut Vec<usize>| {
        order[vertex] = next;
        low[vertex] = next;
        next += 1;
        let start = pending.len();
        dependencies(vertex, pending);
        pending[start..].reverse();
        calls.push((vertex, start));
    };
    for root in roots {
        if order[root] != UNSEEN {
            continue;
        }
        enter(root, &mut order, &mut low, &mut calls, &mut pending);
        path.push(root);
        on_path[root] = true;
        while let Some(&(vertex, start)) = calls.last() {
            if pending.len() > start {
                let other = pending.pop().expect("longer than `start`");
                if order[other] == UNSEEN {
                    enter(other, &mut order, &mut low, &mut calls, &mut pending);
                    path.push(other);
                    on_path[other] = true;
                } else if on_path[other] {
                    low[vertex] = low[vertex].min(order[other]);
                }
                continue;
            }
            calls.pop();
            if let Some(&(caller, _)) = calls.last() {
                low[caller] = low[caller].min(low[vertex]);
            }
            if low[vertex] == order[vertex] {
                let start = path.iter().rposition(|&member| member == vertex).expect("it is on the path");
                let members = path.split_off(start);
                for &member in &members {
                    on_path[member] = false;
                }
                out.push(members);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_come_after_what_they_depend_on() {
        let edges: [&[usize]; 6] = [&[1, 2], &[3], &[4, 2], &[1, 4], &[], &[0]];
        let found = components(6, [5, 0], |vertex, out| out.extend(edges[vertex]));
        let sorted: Vec<Vec<usize>> = found
            .into_iter()
            .map(|mut members| {
                members.sort();
                members
            })
            .collect();
        assert_eq!(sorted, [vec![4], vec![1, 3], vec![2], vec![0], vec![5]]);
    }

    #[test]
    fn long_chains_do_not_exhaust_the_stack() {
        let n = 1_000_000;
        let found = components(n, [n - 1], |vertex, out| out.extend(vertex.checked_sub(1)));
        assert_eq!(found.len(), n);
        assert_eq!(found[0], [0]);
    }
}
