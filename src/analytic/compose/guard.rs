//! Calls that are given up, made again, or made twice.
//!
//! | symbol    | meaning                                                                  | unit    |
//! |-----------|--------------------------------------------------------------------------|---------|
//! | `G(t)`    | chance that a copy has succeeded within `t`                              | 1       |
//! | `h, τ`    | time after which a second copy is sent; after which the caller gives up  | seconds |
//! | `S(t)`    | chance that an attempt has succeeded within `t`                          | 1       |
//! | `A, F, B` | transforms of an attempt that succeeds, of one that fails, of a pause    | 1       |
//! | `w`       | weight of a second copy, or a second attempt, being as late as the first | 1       |
//!
//! ```text
//! S(t) = G(t) + (1 - w) P(no answer by h, nor by t) G(t - h),   p = S(τ)
//! call = A + F B_1 (A' + F' B_2 (A' + …)),   A' = A (1 - f') / p,   f' = f + w (1 - f) × late / f
//! ```
//!
//! Attempts that follow each other at a queue that remembers meet much the same wait; a copy finds the first one in service.

use super::rough::{Failure, Rough};
use super::sheet::{Sheet, made_by_chance, multiply_law, product, repeated};
use super::{Composed, Mean, Solution, Tail, mean_of, table};
use crate::distribution::{Distribution, Gamma, Law, Uniform};
use crate::math::erlang;
use crate::network::Guarded;
use crate::network::flows;
use crate::network::tries::Tries;
use num_complex::Complex64;

/// What a call takes that nobody gives up, at a queue that grows without end: longer than anything else.
const ENDLESS: f64 = 1e4;

/// No more retries are followed one by one than have at least this chance.
const FAINT: f64 = 1e-12;

/// The law of an attempt that depends on time.
pub(super) struct GuardLaw {
    /// Time of a successful attempt beyond its constant part.
    law: Law,
    mean: f64,
    /// What becomes of the call, as far as it depends on one attempt.
    tries: Tries,
}

/// A chance, and mean and variance of the time before it.
type Reached = (f64, f64, f64);

/// An attempt, as it goes into the call.
struct Attempt {
    tries: Tries,
    shift: f64,
    mean: f64,
    variance: f64,
    failure: Failure,
    level: usize,
}

impl Attempt {
    /// Moments of an attempt that fails, late ones included.
    fn failed(&self, guarded: &Guarded) -> (f64, f64) {
        let late = self.late_share();
        let timeout = guarded.call.timeout.unwrap_or(0.0);
        let mean = late * timeout + (1.0 - late) * self.failure.mean;
        let second = late * timeout * timeout + (1.0 - late) * self.failure.second;
        (mean, (second - mean * mean).max(0.0))
    }

    /// The share of failed attempts that are late.
    fn late_share(&self) -> f64 {
        let failed = 1.0 - self.tries.attempt;
        if failed > 0.0 { (self.tries.late / failed).min(1.0) } else { 0.0 }
    }

    /// For each attempt from the first its chance to be made and succeed, and mean and variance of the time before it;
    /// then those of all that fail.
    fn each(&self, guarded: &Guarded) -> (Vec<Reached>, Reached) {
        let (failed, failed_variance) = self.failed(guarded);
        let mut each = Vec::with_capacity(2);
        let (mut chance, mut mean, mut variance) = (1.0, 0.0, 0.0);
        for attempt in 0..=guarded.call.retries {
            let fails = if attempt == 0 { 1.0 - self.tries.attempt } else { self.tries.again };
            each.push((chance * (1.0 - fails), mean, variance));
            chance *= fails;
            mean += failed;
            variance += failed_variance;
            if attempt == guarded.call.retries || chance < FAINT {
                break;
            }
            if let Some(backoff) = guarded.call.backoff {
                mean += backoff.mean(attempt + 1);
                let spread = if backoff.full_jitter { backoff.most(attempt + 1) } else { 0.0 };
                variance += spread * spread / 12.0;
            }
        }
        (each, (chance, mean, variance))
    }
}

impl Composed<'_> {
    /// What is known of an attempt of a guarded call; with a timeout, of a queue that grows without end nothing is got in time.
    fn attempt(&self, guarded: &Guarded, class: usize) -> Option<Attempt> {
        let tries = self.solution.losses.tries[guarded.id][class];
        let Some(rough) = self.rough_steps(&guarded.attempt, class) else {
            let timeout = guarded.call.timeout?;
            let failure = Failure { mean: timeout, second: timeout * timeout, at_once: 0.0 };
            return Some(Attempt { tries, shift: 0.0, mean: timeout, variance: 0.0, failure, level: 0 });
        };
        let known = self.guards[guarded.id * self.classes + class].as_ref();
        let latest = guarded.call.timeout.unwrap_or(f64::INFINITY);
        let mean = known.map_or(rough.mean.min(latest), |law| law.mean);
        let variance = known.map_or(rough.variance, |law| {
            let beyond = law.law.mean();
            (law.law.moment(2) - beyond * beyond).max(0.0)
        });
        let level = rough.level + usize::from(guarded.is_decided_by_time());
        Some(Attempt { tries, shift: rough.shift.min(latest), mean, variance, failure: rough.failure, level })
    }

    /// The moments of a guarded call, all its runs together.
    pub(super) fn rough_guarded(&self, guarded: &Guarded, class: usize) -> Option<Rough> {
        let attempt = self.attempt(guarded, class)?;
        let (each, (_, failed, failed_variance)) = attempt.each(guarded);
        let success: f64 = each.iter().map(|(chance, ..)| chance).sum();
        let share = |chance: &f64| if success > 0.0 { chance / success } else { 0.0 };
        let mean: f64 = each.iter().map(|(chance, before, _)| share(chance) * (before + attempt.mean)).sum();
        let square = |(chance, before, variance): &(f64, f64, f64)| {
            share(chance) * (variance + attempt.variance + (before + attempt.mean).powi(2))
        };
        let second: f64 = each.iter().map(square).sum();
        let one = Rough {
            shift: attempt.shift,
            mean: if success > 0.0 { mean } else { attempt.mean },
            variance: (second - mean * mean).max(0.0),
            success: attempt.tries.success,
            atom: 0.0,
            level: attempt.level,
            failure: Failure {
                mean: failed,
                second: failed_variance + failed * failed,
                at_once: if failed == 0.0 { 1.0 } else { 0.0 },
            },
        };
        Some(super::rough::called(one, guarded.call.times, guarded.call.probability))
    }

    /// Mean of a guarded call that succeeds.
    pub(super) fn mean_of_guarded(&self, guarded: &Guarded, class: usize) -> Option<Mean> {
        if guarded.call.times == 0 || guarded.call.probability == 0.0 {
            return Some(Mean::default());
        }
        let (lost, last) = self.parts_of_guarded(guarded, class)?;
        Some(Mean { all: last.all + lost, ..last })
    }

    /// Mean time of a guarded call that succeeds, all its runs together: what goes by before the attempts that succeed, and these.
    pub(in crate::analytic) fn parts_of_guarded(&self, guarded: &Guarded, class: usize) -> Option<(f64, Mean)> {
        let attempt = self.attempt(guarded, class)?;
        let (each, _) = attempt.each(guarded);
        let success: f64 = each.iter().map(|(chance, ..)| chance).sum();
        let runs = flows::runs_of(&guarded.call, success);
        let lost: f64 = each.iter().map(|(chance, before, _)| chance * before).sum();
        let whole = self.mean_of(&guarded.attempt, class);
        let known = self.guards[guarded.id * self.classes + class].as_ref().map(|law| law.mean);
        let last = match (known, whole) {
            (Some(mean), Some(whole)) if whole.all > 0.0 => Mean::default().and(whole, mean / whole.all),
            (None, Some(whole)) if !guarded.is_decided_by_time() => whole,
            _ => Mean { all: attempt.mean, ..Mean::default() },
        };
        Some((if success > 0.0 { runs * lost / success } else { 0.0 }, Mean::default().and(last, runs)))
    }

    /// The law of an attempt whose copies have this tail.
    pub(super) fn guard_law(&self, guarded: &Guarded, class: usize, rough: &Rough, tail: &Tail) -> GuardLaw {
        let call = &guarded.call;
        let copy = |t: f64| if t <= 0.0 { 0.0 } else { rough.success * (1.0 - tail.exceeding(t)) };
        let latest = call.timeout.unwrap_or(f64::INFINITY);
        let alike = self.alike_attempts(guarded, class);
        let failed = (1.0 - rough.success).max(0.0);
        let (mut copied, mut failed_before) = (0.0, 0.0);
        if let Some(hedge) = call.hedge.filter(|hedge| *hedge < latest) {
            failed_before = if rough.failure.mean < hedge { failed } else { 0.0 };
            copied = (1.0 - copy(hedge) - failed_before).max(0.0);
        }
        let hedge = call.hedge.unwrap_or(f64::INFINITY);
        let second = (1.0 - alike(hedge)).clamp(0.0, 1.0);
        let behind = if copied > 0.0 { self.behind_itself(guarded, class) } else { 0.0 };
        let within = |t: f64| {
            let first = copy(t);
            if t <= hedge {
                first
            } else {
                first + second * (1.0 - first - failed_before).max(0.0) * copy(t - hedge - behind)
            }
        };
        let all_fail = failed_before + (failed - failed_before) * if copied > 0.0 { failed } else { 1.0 };
        let far = rough.mean + 60.0 * rough.variance.sqrt().max(rough.mean);
        let attempt = if latest.is_finite() { within(latest) } else { within(far + hedge.min(far)) };
        let late = if latest.is_finite() {
            (1.0 - attempt - if rough.failure.mean < latest { all_fail } else { 0.0 }).max(0.0)
        } else {
            0.0
        };
        let pause = call.backoff.map_or(0.0, |backoff| backoff.mean(1));
        let waited = if latest.is_finite() { latest } else { rough.failure.mean };
        let failing = 1.0 - attempt;
        let again =
            if failing > 0.0 { failing + alike(waited + pause) * attempt * (late / failing).min(1.0) } else { 0.0 };
        let (again, vain) = self.tried_again(guarded, class, again, rough.failure.mean);
        let tries = Tries { attempt, late, copied, ..Tries::PLAIN }.retried(again, vain, call.retries);
        let end = latest - rough.shift;
        let exceeding = |t: f64| {
            if attempt <= 0.0 { 0.0 } else { (1.0 - within(rough.shift + t) / attempt).clamp(0.0, 1.0) }
        };
        let scale = (rough.mean - rough.shift).max(1e-12 * rough.mean).min(end.max(1e-12 * rough.mean));
        let beyond = if attempt > 0.0 && end > 0.0 { mean_of(exceeding, scale, end) } else { 0.0 };
        let law = if beyond <= 1e-12 * rough.mean {
            Law::constant(0.0)
        } else {
            Law::Table(table(exceeding, beyond, end, &self.ladder))
        };
        GuardLaw { law, mean: rough.shift.min(latest) + beyond, tries }
    }

    /// How much longer a copy waits because the first one is still being served: as with one server less, but no longer than that
    /// service takes.
    fn behind_itself(&self, guarded: &Guarded, class: usize) -> f64 {
        let Some(visit) = self.first(&guarded.attempt, 0) else { return 0.0 };
        let Some((wait, law)) = self.met(visit, class) else { return 0.0 };
        let memory = &self.solution.memories[self.solution.network.visits[visit].station];
        let (servers, load) = (memory.servers.round(), memory.utilization * memory.servers);
        let left = servers - 1.0 - load;
        let longest = memory.same * law.mean();
        if left <= 0.0 {
            return longest;
        }
        let busy = erlang::erlang_c((servers - 1.0) as u32, load).unwrap_or(1.0);
        (busy * law.mean() / left - wait.mean()).clamp(0.0, longest)
    }

    /// How much of what an attempt has met, another one meets that begins so much later.
    fn alike_attempts(&self, guarded: &Guarded, class: usize) -> impl Fn(f64) -> f64 + use<'_> {
        let first = self.first(&guarded.attempt, 0);
        let common = first.and_then(|visit| self.common(visit, 2.0, &guarded.attempt, class)).unwrap_or(0.0);
        let memory = first.map(|visit| &self.solution.memories[self.solution.network.visits[visit].station]);
        move |later| memory.map_or(0.0, |memory| common * memory.kept(later))
    }

    /// Multiplies the transform of a guarded call into `out`.
    pub(super) fn multiply_guarded(&self, guarded: &Guarded, class: usize, sheet: &mut Sheet, out: &mut [Complex64]) {
        let call = &guarded.call;
        if call.times == 0 || call.probability == 0.0 {
            return;
        }
        let Some(attempt) = self.attempt(guarded, class) else { return };
        let tries = &attempt.tries;
        // A successful attempt, its chance apart.
        let mut success = sheet.take();
        if let Some(known) = &self.guards[guarded.id * self.classes + class] {
            multiply_law(&known.law, sheet, &mut success);
        } else if !guarded.is_decided_by_time() {
            let chance = self.rough_steps(&guarded.attempt, class).map_or(0.0, |rough| rough.success);
            self.multiply(&guarded.attempt, class, &self.chances, sheet, &mut success);
            let back = if chance > 0.0 { 1.0 / chance } else { 0.0 };
            success.iter_mut().for_each(|value| *value *= back);
        }
        let (each, _) = attempt.each(guarded);
        let mut made = sheet.take();
        made.fill(Complex64::ZERO);
        let mut before = sheet.take();
        let failure = if each.len() > 1 { Some(self.failure_row(guarded, &attempt, sheet)) } else { None };
        for number in 0..each.len() {
            let chance = if number == 0 { tries.attempt } else { 1.0 - tries.again };
            made.iter_mut().zip(&before).zip(&success).for_each(|((sum, before), last)| *sum += chance * before * last);
            let Some(failure) = failure.as_ref().filter(|_| number + 1 < each.len()) else { break };
            let fails = if number == 0 { 1.0 - tries.attempt } else { tries.again };
            before.iter_mut().zip(failure).for_each(|(value, failure)| *value *= fails * failure);
            if let Some(backoff) = call.backoff {
                let most = backoff.most(number as u32 + 1);
                if backoff.full_jitter && most > 0.0 {
                    multiply_law(&Law::Uniform(Uniform { min: 0.0, max: most }), sheet, &mut before);
                } else {
                    sheet.line.delay(&mut before, most);
                }
            }
        }
        repeated(&mut made, call.times);
        made_by_chance(call, attempt.shift, sheet, &mut made);
        product(out, &made);
        [success, made, before].into_iter().chain(failure).for_each(|row| sheet.give(row));
    }

    /// The transform of an attempt that has failed.
    fn failure_row(&self, guarded: &Guarded, attempt: &Attempt, sheet: &mut Sheet) -> Vec<Complex64> {
        let late = attempt.late_share();
        let Failure { mean, second, at_once } = attempt.failure;
        let mut row = sheet.take();
        if late < 1.0 && at_once < 1.0 {
            let conditional = mean / (1.0 - at_once);
            let scv = (second / (1.0 - at_once) / (conditional * conditional) - 1.0).max(0.0);
            if scv < 1e-3 {
                sheet.line.delay(&mut row, conditional);
            } else {
                multiply_law(&Law::Gamma(Gamma { mean: conditional, cv: scv.sqrt() }), sheet, &mut row);
            }
            row.iter_mut().for_each(|value| *value = at_once + (1.0 - at_once) * *value);
        }
        if let Some(timeout) = guarded.call.timeout.filter(|_| late > 0.0) {
            let mut out = sheet.take();
            sheet.line.delay(&mut out, timeout);
            row.iter_mut().zip(&out).for_each(|(value, out)| *value = (1.0 - late) * *value + late * out);
            sheet.give(out);
        }
        row
    }

    /// What becomes of a guarded call, as these response times have it.
    pub(in crate::analytic) fn tries(&self, guarded: &Guarded, class: usize) -> Tries {
        let tries = match &self.guards[guarded.id * self.classes + class] {
            Some(law) => law.tries,
            None if guarded.is_decided_by_time() => guarded.endless(),
            None => {
                let attempt = self.sequence_success(&guarded.attempt, class);
                let until = self.rough_steps(&guarded.attempt, class).map_or(0.0, |rough| rough.failure.mean);
                let (again, vain) = self.tried_again(guarded, class, 1.0 - attempt, until);
                Tries { attempt, ..Tries::PLAIN }.retried(again, vain, guarded.call.retries)
            }
        };
        let time = self.attempt(guarded, class).map_or(ENDLESS, |attempt| {
            let attempt = Attempt { tries, ..attempt };
            let (each, (failed, before, _)) = attempt.each(guarded);
            each.iter().map(|(chance, before, _)| chance * (before + attempt.mean)).sum::<f64>() + failed * before
        });
        Tries { time, through: self.through(guarded, class), ..tries }
    }

    /// The chance that an attempt that nobody gives up is not left in a queue that grows without end.
    fn through(&self, guarded: &Guarded, class: usize) -> f64 {
        let Solution { network, flows, losses, .. } = self.solution;
        let answered = self.sequence_success(&guarded.attempt, class);
        if guarded.call.timeout.is_some() || self.solution.is_stable() || answered <= 0.0 {
            return 1.0;
        }
        (flows::sequence_success(network, &guarded.attempt, class, &flows.success, losses) / answered).min(1.0)
    }
}
