//! Who asks whom: the graph of operations.

use super::{Operation, OperationId, Step};

/// Whom each operation asks, in any way, as often as it does.
pub(crate) fn callees(operations: &[Operation]) -> Vec<Vec<OperationId>> {
    let of_one = |operation: &Operation| {
        let mut found = Vec::new();
        asked(&operation.steps, &mut found);
        found
    };
    operations.iter().map(of_one).collect()
}

fn asked(steps: &[Step], found: &mut Vec<OperationId>) {
    for step in steps {
        match step {
            Step::Call(call) => found.push(call.target),
            Step::Guarded(guarded) => found.push(guarded.call.target),
            Step::Send(target) => found.push(*target),
            step => step.inner(|steps| asked(steps, found)),
        }
    }
}

/// Kahn's order: an operation after all that ask it. Operations on a cycle are left out.
pub(crate) fn callers_first(operations: &[Operation]) -> Vec<OperationId> {
    let callees = callees(operations);
    let mut waiting = vec![0usize; operations.len()];
    callees.iter().flatten().for_each(|callee| waiting[*callee] += 1);
    let mut order: Vec<OperationId> = (0..operations.len()).filter(|id| waiting[*id] == 0).collect();
    let mut next = 0;
    while next < order.len() {
        for callee in &callees[order[next]] {
            waiting[*callee] -= 1;
            if waiting[*callee] == 0 {
                order.push(*callee);
            }
        }
        next += 1;
    }
    order
}

/// Which nodes are reached from one of a graph, in one step or more.
pub(crate) fn reached(next: &[Vec<usize>], from: usize) -> Vec<bool> {
    let mut reached = vec![false; next.len()];
    let mut open = next[from].clone();
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut reached[node], true) {
            open.extend(&next[node]);
        }
    }
    reached
}
