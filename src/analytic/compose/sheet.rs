//! Transforms of all operations on one line, callees first.

use super::Composed;
use super::chance::{self, Dependence, Notes};
use crate::discipline::Delay;
use crate::distribution::{Distribution, Law};
use crate::math::inversion::Line;
use crate::network::{Call, Step};
use hashbrown::HashMap;
use num_complex::Complex64;

/// Transforms on one line: a row of values for each operation and class that was wanted.
pub(super) struct Sheet {
    pub line: Line,
    nodes: usize,
    values: Vec<Complex64>,
    known: Vec<bool>,
    /// Transforms that are wanted more than once, by law and stretch of the line.
    shared: HashMap<(usize, u64), Vec<Complex64>>,
    /// Rows to work in, so that no step allocates.
    spare: Vec<Vec<Complex64>>,
}

impl Sheet {
    pub fn new(slots: usize, nodes: usize) -> Sheet {
        Sheet {
            line: Line { real: 0.0, step: 0.0 },
            nodes,
            values: vec![Complex64::ZERO; slots * nodes],
            known: vec![false; slots],
            shared: HashMap::new(),
            spare: Vec::new(),
        }
    }

    /// The values of a slot, if they were wanted and exist.
    pub fn row(&self, slot: usize) -> Option<&[Complex64]> {
        self.known[slot].then(|| &self.values[slot * self.nodes..(slot + 1) * self.nodes])
    }

    /// A row of ones to work in; give it back with [`Sheet::give`].
    pub fn take(&mut self) -> Vec<Complex64> {
        let mut row = self.spare.pop().unwrap_or_default();
        row.clear();
        row.resize(self.nodes, Complex64::ONE);
        row
    }

    /// A row to work in that begins as a copy of the known values of a slot.
    fn take_copy(&mut self, slot: usize) -> Vec<Complex64> {
        let mut row = self.spare.pop().unwrap_or_default();
        row.clear();
        row.extend_from_slice(&self.values[slot * self.nodes..(slot + 1) * self.nodes]);
        row
    }

    /// The transform of a law at so many times the points of the line, into `out`.
    pub fn transform(&mut self, law: &Law, factor: f64, out: &mut [Complex64]) {
        let line = self.line.stretched(factor);
        let (identity, scale) = match law {
            // What stands in the model many times, or costs much.
            Law::Lattice(lattice) if lattice.is_shared() => (lattice.identity(), 1.0),
            Law::Table(table) if table.is_shared() => table.identity(),
            Law::Derived(derived) => derived.identity(),
            law => return law.transform(line, out),
        };
        let values = self.shared.entry((identity, (scale * factor).to_bits())).or_insert_with(|| {
            law.transform(line, out);
            out.to_vec()
        });
        out.copy_from_slice(values);
    }

    /// The same for a wait.
    pub fn transform_wait(&mut self, wait: &Delay, factor: f64, out: &mut [Complex64]) {
        match wait {
            Delay::Of { probability, law } => {
                self.transform(law, factor, out);
                out.iter_mut().for_each(|value| *value = 1.0 - probability + probability * *value);
            }
            wait => wait.transform(self.line.stretched(factor), out),
        }
    }

    fn put(&mut self, slot: usize, row: Vec<Complex64>) {
        self.values[slot * self.nodes..(slot + 1) * self.nodes].copy_from_slice(&row);
        self.known[slot] = true;
        self.give(row);
    }

    pub fn give(&mut self, row: Vec<Complex64>) {
        self.spare.push(row);
    }
}

impl Composed<'_> {
    /// Fills in the transforms of the wanted operations up to a level on one line.
    pub(super) fn fill(&self, sheet: &mut Sheet, line: Line, level: usize, wanted: &dyn Fn(usize) -> bool) {
        let network = self.solution.network;
        sheet.line = line;
        sheet.known.fill(false);
        sheet.shared.clear();
        for &operation in network.order.iter().rev() {
            for class in 0..self.classes {
                let slot = self.slot(operation, class);
                if self.rough[slot].is_none_or(|rough| rough.level > level) || !wanted(slot) {
                    continue;
                }
                let mut row = sheet.take();
                self.multiply(&network.operations[operation].steps, class, &self.chances, sheet, &mut row);
                sheet.put(slot, row);
            }
        }
    }

    /// The transform of an operation by itself, with the dependence of its waits, which then stands in its row.
    pub(super) fn linked_row<'a>(&self, slot: usize, sheet: &'a mut Sheet) -> Option<&'a [Complex64]> {
        if !self.linked[slot].is_empty() && sheet.known[slot] {
            let mut row = sheet.take_copy(slot);
            self.link(&self.linked[slot], slot % self.classes, sheet, &mut row);
            sheet.put(slot, row);
        }
        sheet.row(slot)
    }

    /// Multiplies the transform of some steps, beyond their shift, into `out`; `notes` say on what they depend.
    pub(super) fn multiply(
        &self,
        steps: &[Step],
        class: usize,
        notes: &Notes,
        sheet: &mut Sheet,
        out: &mut [Complex64],
    ) {
        for step in steps {
            match step {
                Step::Visit(visit) => {
                    if let Some((wait, law)) = self.met(*visit, class) {
                        multiply_visit(wait, law, 1.0 - self.refusal(*visit, class), sheet, out);
                    }
                }
                Step::Delay(law) => multiply_law(law, sheet, out),
                Step::Fail(chance) => out.iter_mut().for_each(|value| *value *= 1.0 - chance),
                Step::Send(_) => {}
                Step::Call(call) => self.multiply_call(call, class, notes, sheet, out),
                Step::Guarded(guarded) => self.multiply_guarded(guarded, class, sheet, out),
                Step::Hold { pool, steps } => {
                    let gate = &self.solution.gates[*pool];
                    if let Some(wait) = &gate.wait {
                        multiply_visit(wait, &Law::constant(0.0), 1.0 - gate.refused, sheet, out);
                    }
                    self.multiply(steps, class, notes, sheet, out);
                }
                Step::Repeat { times: 1, steps } => self.multiply(steps, class, notes, sheet, out),
                Step::Repeat { times, steps } => {
                    let mut inner = sheet.take();
                    self.multiply(steps, class, notes, sheet, &mut inner);
                    out.iter_mut().zip(&inner).for_each(|(value, factor)| *value *= factor.powu(*times));
                    sheet.give(inner);
                }
                Step::Choose { ways, .. } => self.multiply_ways(ways, class, notes, sheet, out),
                Step::Parallel { id, .. } => {
                    if let Some(parallel) = &self.parallels[id * self.classes + class] {
                        let mut own = sheet.take();
                        parallel.law.transform(sheet.line, &mut own);
                        product(out, &own);
                        out.iter_mut().for_each(|value| *value *= parallel.success);
                        sheet.give(own);
                    }
                }
            }
        }
    }

    fn multiply_call(&self, call: &Call, class: usize, notes: &Notes, sheet: &mut Sheet, out: &mut [Complex64]) {
        if call.times == 0 || call.probability == 0.0 {
            return;
        }
        let slot = self.slot(call.target, class);
        let mut shift = self.rough[slot].map_or(0.0, |rough| rough.shift);
        let (p, q) = (call.probability, 1.0 - call.probability);
        let Some(row) = sheet.row(slot) else { return };
        let dependence = chance::of_call(notes, call, class);
        if call.times == 1 && call.network.is_none() && dependence.is_none() && (q == 0.0 || shift == 0.0) {
            // Most calls are so plain that they need no row to work in.
            return out.iter_mut().zip(row).for_each(|(value, made)| *value *= q + p * made);
        }
        let mut made = match dependence.and_then(Dependence::inside) {
            Some(inside) => {
                let mut made = sheet.take();
                self.multiply(&self.solution.network.operations[call.target].steps, class, inside, sheet, &mut made);
                made
            }
            None => sheet.take_copy(slot),
        };
        if let Some(network) = &call.network {
            multiply_law(network, sheet, &mut made);
            shift += if network.is_constant() { network.mean() } else { 0.0 };
        }
        repeated(&mut made, call.times);
        if let Some(on) = dependence {
            self.depend(on, class, sheet, &mut made);
        }
        made_by_chance(call, shift, sheet, &mut made);
        product(out, &made);
        sheet.give(made);
    }

    fn multiply_ways(
        &self,
        ways: &[(f64, Vec<Step>)],
        class: usize,
        notes: &Notes,
        sheet: &mut Sheet,
        out: &mut [Complex64],
    ) {
        let likely = || ways.iter().filter(|(weight, _)| *weight > 0.0);
        let shift = |steps: &[Step]| self.rough_steps(steps, class).map_or(0.0, |rough| rough.shift);
        let least = likely().map(|(_, steps)| shift(steps)).fold(f64::INFINITY, f64::min);
        let mut sum = sheet.take();
        sum.fill(Complex64::ZERO);
        for (weight, steps) in likely() {
            let mut way = sheet.take();
            self.multiply(steps, class, notes, sheet, &mut way);
            if let Some(on) = chance::of_way(notes, steps, class) {
                self.depend(on, class, sheet, &mut way);
            }
            sheet.line.delay(&mut way, shift(steps) - least);
            sum.iter_mut().zip(&way).for_each(|(sum, value)| *sum += *weight * value);
            sheet.give(way);
        }
        product(out, &sum);
        sheet.give(sum);
    }
}

/// The transform of the same thing so many times.
pub(super) fn repeated(row: &mut [Complex64], times: u32) {
    if times > 1 {
        row.iter_mut().for_each(|value| *value = value.powu(times));
    }
}

/// What its probability makes of the transform of a call each run of which has this constant part.
pub(super) fn made_by_chance(call: &Call, shift: f64, sheet: &Sheet, made: &mut [Complex64]) {
    let (p, q) = (call.probability, 1.0 - call.probability);
    if q > 0.0 {
        // A call that may not be made has no shift of its own: its constant part is passed by chance only.
        sheet.line.delay(made, shift * f64::from(call.times));
        made.iter_mut().for_each(|value| *value = q + p * *value);
    }
}

/// A wait, for those let in, and the service after it.
fn multiply_visit(wait: &Delay, law: &Law, admitted: f64, sheet: &mut Sheet, out: &mut [Complex64]) {
    let mut own = sheet.take();
    match wait {
        Delay::None => {}
        // The wait of M/G/1 is made of the same law as the service: its transform serves twice.
        Delay::Pollaczek { arrival_rate, service } if service == law && !matches!(law, Law::Constant(_)) => {
            sheet.transform(law, 1.0, &mut own);
            let (rho, line) = (arrival_rate * law.mean(), sheet.line);
            for (k, (value, service)) in out.iter_mut().zip(&own).enumerate() {
                let s = line.point(k);
                *value *= (1.0 - rho) * s * service / (s - *arrival_rate * (1.0 - service));
            }
            debug_assert!(rho < 1.0 && admitted == 1.0);
            return sheet.give(own);
        }
        wait => {
            sheet.transform_wait(wait, 1.0, &mut own);
            product(out, &own);
        }
    }
    if admitted < 1.0 {
        out.iter_mut().for_each(|value| *value *= admitted);
    }
    sheet.give(own);
    multiply_law(law, sheet, out);
}

/// Multiplies the transform of a law into `out`; a constant is in the shift already.
pub(super) fn multiply_law(law: &Law, sheet: &mut Sheet, out: &mut [Complex64]) {
    if law.is_constant() {
        return;
    }
    let mut own = sheet.take();
    sheet.transform(law, 1.0, &mut own);
    product(out, &own);
    sheet.give(own);
}

pub(super) fn product(out: &mut [Complex64], factors: &[Complex64]) {
    out.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
}
