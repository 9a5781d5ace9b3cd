//! How the assets of a class move together.
//!
//! Log volatility is the sum of a slow and a fast part that revert to zero (two time scales, as in Alizadeh, Brandt and
//! Diebold 2002), a part that lasts one step (fat tails), and for each asset one of its own. Returns are a common and an
//! own part. A fall raises the fast part more than a rise (leverage), and a jump raises it at once.

use crate::noise::Stream;

/// A part of log volatility: first-order autoregressive around zero.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Swing {
    /// Stationary standard deviation.
    sd: f64,
    /// What is left of a deviation after one step.
    keep: f64,
}

impl Swing {
    /// A swing that has lost half of a deviation after so many steps.
    pub(crate) fn new(sd: f64, half_life_steps: f64) -> Self {
        Self { sd, keep: 0.5_f64.powf(1.0 / half_life_steps) }
    }

    fn next(self, value: f64, shock: f64) -> f64 {
        self.keep * value + (1.0 - self.keep * self.keep).sqrt() * self.sd * shock
    }

    fn variance(self) -> f64 {
        self.sd * self.sd
    }
}

/// How a class behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners {
    pub(crate) slow: Swing,
    pub(crate) fast: Swing,
    /// Each asset's own swing.
    pub(crate) own: Swing,
    /// Standard deviation of the part of log volatility that lasts one step.
    pub(crate) flicker: f64,
    /// Correlation of the common swings' shocks with the common return.
    pub(crate) leverage: f64,
    /// Share of an asset's variance that is common.
    pub(crate) common: f64,
    /// Steps between jumps of the whole class, on average, and of one asset.
    pub(crate) jump_every: f64,
    pub(crate) own_jump_every: f64,
}

/// How much the own volatility follows the common one.
const FOLLOW: f64 = 0.75;

/// Typical size of a jump, in standard deviations of the step.
const JUMP: f64 = 4.0;

/// What one step did to one asset.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Draw {
    /// Log return of the step.
    pub(crate) log_return: f64,
    /// Standard deviation it was drawn with.
    pub(crate) sd: f64,
    /// Volatility relative to the asset's usual one.
    pub(crate) relative: f64,
    /// Log of how much more is traded than the volatility explains.
    pub(crate) interest: f64,
}

/// The assets of a class, walking.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    manners: Manners,
    stream: Stream,
    slow: f64,
    fast: f64,
    members: Vec<Member>,
    draws: Vec<Draw>,
    step: u64,
}

#[derive(Debug, Clone)]
struct Member {
    stream: Stream,
    daily_sd: f64,
    own: f64,
    interest: f64,
}

/// Lanes of the streams; a pair of normals takes two.
const MARKET: u64 = 0;
const SWINGS: u64 = 1;
const JUMPS: u64 = 8;
const JUMP_SIZE: u64 = 5;

impl Panel {
    /// Assets with these daily standard deviations, their volatilities at a random place of their long-run ranges.
    pub(crate) fn new(seed: u64, class: &str, manners: Manners, members: &[(&str, f64)]) -> Self {
        let stream = Stream::new(seed, class);
        let (slow, fast) = stream.normals(u64::MAX, 0);
        let member = |&(name, daily_sd): &(&str, f64)| {
            let stream = Stream::new(seed, &format!("{class} {name}"));
            Member { stream, daily_sd, own: manners.own.sd * stream.normal(u64::MAX, 0), interest: 0.0 }
        };
        Self {
            manners,
            stream,
            slow: manners.slow.sd * slow,
            fast: manners.fast.sd * fast,
            members: members.iter().map(member).collect(),
            draws: vec![Draw::default(); members.len()],
            step: 0,
        }
    }

    /// One step that holds `share` of a usual day's variance; one draw for each member.
    pub(crate) fn step(&mut self, share: f64) -> &[Draw] {
        let (manners, step) = (self.manners, self.step);
        let (mut shock, swing) = self.stream.normals(step, MARKET);
        let (slow_shock, flicker) = self.stream.normals(step, SWINGS);
        let jumps = self.stream.uniform(step, JUMPS) * manners.jump_every < 1.0;
        if jumps {
            shock += JUMP * self.stream.normal(step, JUMP_SIZE);
        }
        let variance = manners.slow.variance() + manners.fast.variance() + manners.flicker * manners.flicker;
        let swings = self.slow + self.fast + manners.flicker * flicker;
        // Subtracting the variance of the exponent makes the mean of the squared volatility one.
        let common = (swings - variance).exp();
        let scale = share.sqrt();
        for (member, draw) in self.members.iter_mut().zip(&mut self.draws) {
            let (mut own_shock, own_swing) = member.stream.normals(step, MARKET);
            let (interest, _) = member.stream.normals(step, SWINGS);
            let own_jumps = member.stream.uniform(step, JUMPS) * manners.own_jump_every < 1.0;
            if own_jumps {
                own_shock += JUMP * member.stream.normal(step, JUMP_SIZE);
            }
            let exponent = FOLLOW * swings + member.own;
            let own = (exponent - FOLLOW * FOLLOW * variance - manners.own.variance()).exp();
            let relative = (manners.common * common * common + (1.0 - manners.common) * own * own).sqrt();
            let sum = manners.common.sqrt() * common * shock + (1.0 - manners.common).sqrt() * own * own_shock;
            member.interest = 0.9 * member.interest + 0.15 * interest;
            *draw = Draw {
                log_return: member.daily_sd * scale * sum,
                sd: member.daily_sd * scale * relative,
                relative,
                interest: member.interest,
            };
            member.own = manners.own.next(member.own, own_swing);
            if own_jumps {
                member.own += manners.own.sd;
            }
        }
        let (lever, rest) = (manners.leverage, (1.0 - manners.leverage * manners.leverage).sqrt());
        let levered = |own_shock: f64| lever * shock.clamp(-3.0, 3.0) + rest * own_shock;
        self.slow = manners.slow.next(self.slow, levered(slow_shock));
        self.fast = manners.fast.next(self.fast, levered(swing));
        if jumps {
            self.fast += manners.fast.sd;
        }
        self.step += 1;
        &self.draws
    }

    /// Number of steps taken.
    pub(crate) fn steps(&self) -> u64 {
        self.step
    }

    /// The common variance expected on average over the next `steps`, relative to its long-run mean.
    pub(crate) fn expected_common_variance(&self, steps: u32) -> f64 {
        let Manners { slow, fast, .. } = self.manners;
        let points = 8;
        let at = |point: u32| {
            let ahead = f64::from(steps) * (f64::from(point) + 0.5) / f64::from(points);
            let (s, f) = (slow.keep.powf(ahead), fast.keep.powf(ahead));
            let mean = s * self.slow + f * self.fast;
            let known = s * s * slow.variance() + f * f * fast.variance();
            (2.0 * (mean - known)).exp()
        };
        (0..points).map(at).sum::<f64>() / f64::from(points)
    }
}
