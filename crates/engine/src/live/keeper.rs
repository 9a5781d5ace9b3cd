//! The task that asks one source, and listens to it, for its share of the assets.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use market::{AssetClass, Bar, Remark, RemarkKind, Symbol, Timeframe};
use sources::{Failure, Fetched, LiveEvent, Price, Request, pace};
use storage::{BarQuery, SeriesKey};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::LiveSettings;
use super::follower::{Follower, Holes, Window, spans};
use super::progress::{Progress, Standing};
use super::reconcile::{new_actions, news};
use super::roster::{Board, Duty, Provider};
use crate::desk::{SheetKey, readers};
use crate::engine::{Engine, format_chain};
use crate::error::Result;
use crate::ingest::find_gaps;

/// Events of a stream that wait for the task; prices beyond are dropped, newer ones follow.
const EVENTS: usize = 8192;

/// The longest the task sleeps without looking around, in real time: another source may raise an alarm.
const LOOK_AROUND: Duration = Duration::from_millis(500);

/// Panels take up new series when all that is wanted has come, or so long after the first of them; real time.
const TAKE_UP: Duration = Duration::from_secs(60);

/// What cannot succeed is tried again so often.
const HOPELESS: SignedDuration = SignedDuration::from_hours(1);

/// A source may pass over hosts that do not serve this place, and says so without asking them.
const RESTRICTED: SignedDuration = SignedDuration::from_mins(5);

/// How many of the newest days of two sources are compared.
const COMPARED: u32 = 20;

/// Asks and listens for its followers.
pub(super) struct Keeper {
    engine: Arc<Engine>,
    provider: Provider,
    settings: Arc<LiveSettings>,
    board: Arc<Board>,
    duties: Vec<Duty>,
    followers: Vec<Follower>,
    places: HashMap<(Symbol, Timeframe), usize>,
    /// Where to tell how far this task is.
    progress: (Arc<Progress>, usize),
    /// The sheets that are to take up stored bars, and since when these wait.
    waiting: BTreeSet<SheetKey>,
    waiting_since: Option<tokio::time::Instant>,
}

/// A question that was answered, or not.
struct Asked {
    place: usize,
    window: Window,
    answer: std::result::Result<Fetched, Failure>,
    /// When a macro series can be expected to have news.
    next_release: Option<Timestamp>,
}

/// However it ends, what it stored is taken up.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.engine.let_go(std::mem::take(&mut self.waiting));
    }
}

impl Keeper {
    pub(super) fn new(
        engine: Arc<Engine>,
        provider: Provider,
        duties: Vec<Duty>,
        settings: Arc<LiveSettings>,
        board: Arc<Board>,
        progress: (Arc<Progress>, usize),
    ) -> Self {
        let (followers, places, waiting) = (Vec::new(), HashMap::new(), BTreeSet::new());
        Self { engine, provider, settings, board, duties, followers, places, progress, waiting, waiting_since: None }
    }

    fn name(&self) -> &str {
        self.provider.data.name()
    }

    fn now(&self) -> Timestamp {
        self.engine.clock().now()
    }

    /// Runs until the token is cancelled. What is asked then is given up; what came is stored.
    pub(super) async fn run(mut self, token: CancellationToken) {
        while let Err(error) = self.begin().await {
            warn!("the database does not say what is stored: {}", format_chain(&error));
            tokio::select! {
                () = token.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
        let (sender, mut events) = mpsc::channel(EVENTS);
        // Dropped with this task: what it holds ends with it.
        let mut stream = JoinSet::new();
        if let Some(live) = self.provider.live.clone() {
            let mut followed: Vec<market::Asset> = Vec::new();
            for duty in &self.duties {
                let asset = &duty.asset;
                if duty.stands_behind.is_none() && live.follows(asset) && !followed.contains(asset) {
                    followed.push(asset.clone());
                }
            }
            if !followed.is_empty() {
                let token = token.clone();
                stream.spawn(async move { live.follow(&followed, sender, token).await });
            }
        }
        let mut asking: JoinSet<Asked> = JoinSet::new();
        let mut listening = !stream.is_empty();
        while !token.is_cancelled() {
            self.ask(&mut asking);
            self.take_up(asking.is_empty());
            self.tell_progress();
            let wake = self.wake_in();
            tokio::select! {
                () = token.cancelled() => break,
                event = self.next_event(&mut events), if listening => match event {
                    Some(event) => self.take_event(event).await,
                    // A stream that ends unasked has broken off: the task is started again as a whole.
                    None if token.is_cancelled() => listening = false,
                    None => {
                        let reason = "it broke off".to_owned();
                        self.engine.sources.streams(self.provider.data.name(), Some(reason.clone()));
                        self.note_source(RemarkKind::Down, format!("the stream is gone: {reason}")).await;
                        return;
                    }
                },
                Some(asked) = asking.join_next() => match asked {
                    Ok(Asked { place, window, answer, next_release }) => {
                        self.take_answer(place, window, answer).await;
                        self.followers[place].expect_release(next_release);
                    }
                    Err(broken) => panic!("a question broke off: {broken}"),
                },
                () = tokio::time::sleep(wake) => {}
            }
        }
        while stream.join_next().await.is_some() {}
    }

    /// The next event that is no price. Prices are handed on at once: they come by the thousand, and change nothing that
    /// followers wait for. May be dropped while waiting without losing anything.
    async fn next_event(&self, events: &mut mpsc::Receiver<LiveEvent>) -> Option<LiveEvent> {
        loop {
            match events.recv().await? {
                LiveEvent::Price(price) => self.take_price(&price),
                event => return Some(event),
            }
        }
    }

    fn take_price(&self, price: &Price) {
        self.engine.sources.told(self.provider.data.name(), self.now());
        self.engine.receive_tick(&price.symbol, price.price, price.event_time);
    }

    /// Finds out where every series stands.
    async fn begin(&mut self) -> Result<()> {
        let series = self.engine.store().series().await?;
        let now = self.now();
        let mut followers = Vec::with_capacity(self.duties.len());
        for duty in &self.duties {
            let key = SeriesKey {
                symbol: duty.asset.symbol.clone(),
                timeframe: duty.timeframe,
                adjustment: duty.adjustment,
                source: self.name().to_owned(),
            };
            let mut newest = None;
            if series.iter().any(|info| info.key == key) {
                let query = BarQuery { key: &key, as_of: Timestamp::MAX, from: None, to: None, last: Some(1) };
                newest = self.engine.store().bars(&query).await?.last().map(|bar| bar.close_time);
            }
            if let Some(newest) = newest
                && duty.stands_behind.is_none()
            {
                self.board.set_newest(&key.symbol, key.timeframe, newest);
            }
            let streamed = self
                .provider
                .live
                .as_ref()
                .is_some_and(|live| live.follows(&duty.asset) && live.timeframes().contains(&duty.timeframe));
            let delay = self.provider.data.delay(&duty.asset, duty.timeframe);
            followers.push(Follower::new(duty, key, delay, streamed, newest, &self.settings, now));
        }
        self.places = followers
            .iter()
            .enumerate()
            .map(|(place, follower)| ((follower.key.symbol.clone(), follower.key.timeframe), place))
            .collect();
        self.followers = followers;
        Ok(())
    }

    /// Asks for whatever is wanted now, as much at once as is allowed. Followers stand in the order of their duties.
    fn ask(&mut self, asking: &mut JoinSet<Asked>) {
        let now = self.now();
        for place in 0..self.followers.len() {
            if asking.len() >= self.provider.parallel {
                return;
            }
            let Some(window) = self.followers[place].wants(&self.board, now) else { continue };
            self.followers[place].asking = true;
            self.spawn(asking, place, window);
        }
    }

    fn spawn(&self, asking: &mut JoinSet<Asked>, place: usize, window: Window) {
        let (asset, timeframe) = (self.followers[place].asset.clone(), self.followers[place].key.timeframe);
        let data = Arc::clone(&self.provider.data);
        asking.spawn(async move {
            let request = Request { asset: &asset, timeframe, from: window.from, to: window.to };
            let answer = data.fetch(&request).await;
            let next_release = match asset.class() {
                AssetClass::Macro => data.next_release(&asset, window.to).await,
                _ => None,
            };
            Asked { place, window, answer, next_release }
        });
    }

    fn tell_progress(&self) {
        let now = self.now();
        let mut standing = Standing { begun: true, ..Standing::default() };
        for follower in &self.followers {
            standing.asking += usize::from(follower.asking);
            standing.backfilling += usize::from(follower.newest.is_none() && !follower.was_answered());
            let Some(close) = follower.next_close().filter(|_| follower.stands_behind.is_none()) else { continue };
            let place = if close <= now { &mut standing.overdue } else { &mut standing.next_close };
            *place = Some(place.map_or(close, |other| close.min(other)));
        }
        let (progress, place) = &self.progress;
        progress.say(*place, standing);
    }

    /// How long to sleep, in real time.
    fn wake_in(&self) -> Duration {
        let next = self.followers.iter().filter_map(|follower| follower.wakes_at(&self.board)).min();
        let wait = next.and_then(|next| self.engine.clock().wait_until(next));
        wait.unwrap_or(LOOK_AROUND).clamp(Duration::from_millis(5), LOOK_AROUND)
    }

    /// Lets panels take up bars that were stored past them, when nothing more is on its way or it has lasted.
    fn take_up(&mut self, at_rest: bool) {
        if self.waiting_since.is_some_and(|since| at_rest || since.elapsed() > TAKE_UP) {
            self.waiting_since = None;
            self.engine.let_go(std::mem::take(&mut self.waiting));
        }
    }

    /// Remembers that panels are to take up bars of a series.
    fn let_wait(&mut self, asset: &market::Asset, timeframe: Timeframe) {
        self.waiting.extend(readers(asset, timeframe));
        self.waiting_since.get_or_insert_with(tokio::time::Instant::now);
    }

    async fn take_answer(&mut self, place: usize, window: Window, answer: std::result::Result<Fetched, Failure>) {
        let now = self.now();
        match answer {
            Ok(fetched) => {
                if self.engine.sources.answered(self.name(), now) {
                    info!("{} answers again", self.name());
                    self.note_source(RemarkKind::Up, "it answers again".to_owned()).await;
                    for follower in self.followers.iter_mut().filter(|follower| !follower.asking) {
                        follower.came_back(now);
                    }
                }
                if let Err(error) = self.store(place, window, fetched).await {
                    warn!("what {} told could not be stored: {}", self.name(), format_chain(&error));
                    // Nothing is lost: it is asked for again.
                    self.followers[place].failed(None, now);
                }
            }
            Err(failure) => {
                let reason = failure.in_words();
                let key = self.followers[place].key.clone();
                debug!(symbol = %key.symbol, timeframe = %key.timeframe, "{reason}");
                let about_series = matches!(failure, Failure::Unknown { .. } | Failure::NotOffered { .. });
                if about_series {
                    let text = reason.clone();
                    self.note(vec![remark(RemarkKind::Refused, &key, text)]).await;
                } else if self.engine.sources.failed(self.name(), reason.clone()) {
                    warn!("{} does not answer: {reason}; it is asked again", self.name());
                    self.note_source(RemarkKind::Down, reason).await;
                }
                let pause = match &failure {
                    Failure::Restricted { .. } => Some(RESTRICTED),
                    failure if !failure.is_transient() => Some(HOPELESS),
                    failure => failure.retry_after().and_then(|after| SignedDuration::try_from(after).ok()),
                };
                if !failure.is_transient() {
                    self.followers[place].give_up();
                }
                let held = self.followers[place].failed(pause, now);
                self.deliver(place, held).await;
            }
        }
    }

    /// Stores an answer, and the streamed bars that waited for it.
    async fn store(&mut self, place: usize, window: Window, fetched: Fetched) -> Result<()> {
        let now = self.now();
        let (key, asset) = (self.followers[place].key.clone(), self.followers[place].asset.clone());
        let tolerance = self.provider.data.tolerance();
        let mut remarks = fetched.remarks;
        let known = self.engine.store().actions(&key.symbol, Timestamp::MAX).await?;
        let actions = new_actions(&known, fetched.actions, now);
        if !actions.is_empty() {
            remarks.extend(actions.iter().map(|action| Remark {
                from: Some(action.effective_at()),
                ..remark(RemarkKind::Action, &key, format!("{:?} with the ex-date {}", action.kind, action.ex_date))
            }));
            match window.first {
                // Panels are assembled when the whole past is there.
                true => drop(self.engine.store().put_actions(&key.symbol, &actions).await?),
                false => self.engine.receive_actions(&key.symbol, &actions).await?,
            }
        }
        if asset.class() == AssetClass::Macro {
            let known = self.engine.store().observations(&asset.source_symbol, Timestamp::MAX).await?;
            let news = sources::fred::news(&known, fetched.observations, now);
            if !news.is_empty() {
                self.engine.receive_observations(&key.symbol, &news).await?;
            }
            self.followers[place].answered(window, None, Holes::default(), now);
            self.note(remarks).await;
            return Ok(());
        }
        let query =
            BarQuery { key: &key, as_of: Timestamp::MAX, from: Some(window.from), to: Some(window.to), last: None };
        let stored = self.engine.store().bars(&query).await?;
        let mut came = fetched.bars;
        // A clock that is behind the source's has not seen these close yet.
        came.retain(|bar| bar.close_time <= now);
        let mut fresh = news(&key, &stored, came, tolerance, now);
        let restated = key.adjustment != market::Adjustment::Raw && !fresh.remarks.is_empty() && window.look;
        remarks.append(&mut fresh.remarks);
        let newest = fresh.bars.last().map(|bar| bar.close_time);
        let stands_behind = self.followers[place].stands_behind.is_some();
        if window.first || stands_behind {
            // One that stands behind matters to panels only when it is ahead.
            let ahead = !stands_behind || newest >= self.board.newest(&key.symbol, key.timeframe);
            let ahead = ahead && !fresh.bars.is_empty() && key.timeframe >= Timeframe::H1;
            // What is added to a past later may be late.
            match window.first {
                true => self.engine.receive_past(&asset, &key, &fresh.bars, ahead).await?,
                false => self.engine.receive_aside(&asset, &key, &fresh.bars, ahead).await?,
            }
            if ahead {
                self.let_wait(&asset, key.timeframe);
            }
        } else {
            let stepped = |bar: &Bar| self.engine.has_stepped(&asset, key.timeframe, bar.close_time);
            let (late, in_time) = fresh.bars.split_at(fresh.bars.partition_point(stepped));
            if !late.is_empty() {
                // Who catches up tells of many series at once.
                self.engine.receive_aside(&asset, &key, late, true).await?;
                self.let_wait(&asset, key.timeframe);
            }
            if !in_time.is_empty() {
                self.engine.receive_bars(&key, in_time).await?;
            }
        }
        let through = newest.max(stored.last().map(|bar| bar.close_time));
        let holes = match through {
            Some(through) => self.record_gaps(place, window, through, &mut remarks).await?,
            None => Holes::default(),
        };
        if let Some(newest) = through.filter(|_| !stands_behind) {
            self.board.set_newest(&key.symbol, key.timeframe, newest);
        }
        if stands_behind && key.timeframe == Timeframe::D1 {
            self.compare(place, &mut remarks).await?;
        }
        let split = actions.iter().any(|action| matches!(action.kind, market::ActionKind::Split { .. }));
        let held = self.followers[place].answered(window, through, holes, now);
        if (split || restated) && !window.first {
            // A split rewrites what a vendor tells of the past, and so does whatever changes an adjusted series: all of it
            // is asked for and compared.
            self.followers[place].look_at_all();
        }
        self.note(remarks).await;
        self.deliver(place, held).await;
        Ok(())
    }

    /// Compares the window with the calendar.
    async fn record_gaps(
        &self,
        place: usize,
        window: Window,
        through: Timestamp,
        remarks: &mut Vec<Remark>,
    ) -> Result<Holes> {
        let follower = &self.followers[place];
        let (key, now) = (&follower.key, self.now());
        let store = self.engine.store();
        let before = store.gaps(key).await?;
        // Gaps are judged whole: from the bar before the window, and before all that reach into it.
        let reaching = before.iter().filter(|gap| gap.filled_at.is_none() && gap.to > window.from);
        let from = reaching.map(|gap| gap.from).min().map_or(window.from, |from| from.min(window.from));
        let query = BarQuery { key, as_of: Timestamp::MAX, from: None, to: Some(from), last: Some(1) };
        let from = store.bars(&query).await?.first().map_or(from, |bar| bar.open_time);
        let query = BarQuery { from: Some(from), to: None, last: None, ..query };
        let bars = spans(&store.bars(&query).await?);
        let Some(first) = bars.first() else { return Ok(Holes::default()) };
        let gaps = find_gaps(follower.calendar(), key.timeframe, &bars, through, now);
        let to = bars.last().map_or(through, |bar| bar.close_time.max(through));
        store.put_gaps(key, first.open_time, to, &gaps, now).await?;
        let mut holes = Holes { new: None, any: !gaps.is_empty() };
        for gap in gaps.iter().filter(|gap| !before.iter().any(|old| (old.from, old.to) == (gap.from, gap.to))) {
            holes.new = holes.new.or(Some(gap.from));
            let text = format!("{} bars are missing", gap.n_bars);
            remarks.push(Remark { from: Some(gap.from), to: Some(gap.to), ..remark(RemarkKind::Gap, key, text) });
        }
        let within = |gap: &&storage::Gap| gap.from >= first.open_time && gap.to <= to && gap.filled_at.is_none();
        for gap in
            before.iter().filter(within).filter(|old| !gaps.iter().any(|gap| gap.from < old.to && old.from < gap.to))
        {
            let text = format!("{} bars that were missing have come", gap.n_bars);
            remarks.push(Remark { from: Some(gap.from), to: Some(gap.to), ..remark(RemarkKind::Filled, key, text) });
        }
        Ok(holes)
    }

    /// Notes days whose closes differ from those of the source that comes first.
    async fn compare(&self, place: usize, remarks: &mut Vec<Remark>) -> Result<()> {
        let follower = &self.followers[place];
        let Some((first, _)) = &follower.stands_behind else { return Ok(()) };
        let other = SeriesKey { source: first.clone(), adjustment: market::Adjustment::Raw, ..follower.key.clone() };
        let last = async |key: &SeriesKey| {
            let query = BarQuery { key, as_of: Timestamp::MAX, from: None, to: None, last: Some(COMPARED) };
            self.engine.store().bars(&query).await
        };
        let (mut ours, mut theirs) = (last(&follower.key).await?, last(&other).await?);
        let actions = self.engine.store().actions(&other.symbol, Timestamp::MAX).await?;
        for (bars, stored) in [(&mut ours, follower.key.adjustment), (&mut theirs, other.adjustment)] {
            if stored < market::Adjustment::Split && follower.asset.class() == AssetClass::Stocks {
                market::adjustment::view(bars, stored, market::Adjustment::Split, &actions, self.now())?;
            }
        }
        for bar in &ours {
            let Some(same_day) = theirs.iter().find(|other| other.open_time == bar.open_time) else { continue };
            if (bar.close / same_day.close - 1.0).abs() > self.settings.disagreement {
                let text = format!("closed at {} where {first} says {}", bar.close, same_day.close);
                let (from, to) = (Some(bar.open_time), Some(bar.close_time));
                remarks.push(Remark { from, to, ..remark(RemarkKind::Disagrees, &follower.key, text) });
            }
        }
        Ok(())
    }

    async fn take_event(&mut self, event: LiveEvent) {
        let now = self.now();
        match event {
            LiveEvent::Price(price) => self.take_price(&price),
            LiveEvent::Bar { symbol, timeframe, bar } => {
                self.engine.sources.told(self.provider.data.name(), now);
                let Some(&place) = self.places.get(&(symbol, timeframe)) else { return };
                if bar.close_time > now {
                    // The source's clock is ahead of ours: the bar is taken when ours agrees that it has closed.
                    pace::sleep_until(&**self.engine.clock(), bar.close_time.min(now + MAX_AHEAD)).await;
                    if bar.close_time > self.now() {
                        let text = format!("it told a bar that closes at {} when it was {now} here", bar.close_time);
                        let key = self.followers[place].key.clone();
                        self.note(vec![remark(RemarkKind::Refused, &key, text)]).await;
                        return;
                    }
                }
                let bars = self.followers[place].offer(bar, now);
                self.deliver(place, bars).await;
            }
            LiveEvent::Up => {
                if self.engine.sources.streams(self.provider.data.name(), None) {
                    info!("{} streams", self.name());
                    self.note_source(RemarkKind::Up, "the stream is there".to_owned()).await;
                }
                for follower in &mut self.followers {
                    follower.came_back(now);
                }
            }
            LiveEvent::Down { reason, until } => {
                if self.engine.sources.streams(self.provider.data.name(), Some(reason.clone())) {
                    warn!("the stream of {} is gone: {reason}; it is tried again at {until:.0}", self.name());
                    self.note_source(RemarkKind::Down, format!("the stream is gone: {reason}")).await;
                }
            }
            LiveEvent::Refused { reason } => {
                let n = self.engine.sources.refused(self.provider.data.name());
                if n == 1 {
                    warn!("{} sent a message that is not understood: {reason}", self.name());
                } else {
                    debug!("{} sent a message that is not understood: {reason}", self.name());
                }
            }
            LiveEvent::Remark(remark) => self.note(vec![remark]).await,
        }
    }

    /// Hands on bars of the stream, in order.
    async fn deliver(&mut self, place: usize, bars: Vec<Bar>) {
        let Some(last) = bars.last().map(|bar| bar.close_time) else { return };
        let (key, newest) = (self.followers[place].key.clone(), self.followers[place].newest);
        if let Err(error) = self.engine.receive_bars(&key, &bars).await {
            warn!("bars of {} could not be stored: {}", key.symbol, format_chain(&error));
            // They are asked for when the database is back.
            let now = self.now();
            self.followers[place].failed(None, now);
            return;
        }
        let now = self.now();
        let calendar = self.followers[place].calendar();
        let mut expected = newest.and_then(|newest| calendar.bar_closing_after(key.timeframe, newest));
        let mut hole = None;
        for bar in &bars {
            hole = hole.or(expected.map(|expected| expected.open_time).filter(|open_time| *open_time < bar.open_time));
            expected = calendar.bar_closing_after(key.timeframe, bar.close_time);
        }
        self.board.set_newest(&key.symbol, key.timeframe, last);
        self.followers[place].stored(last, hole, now);
        if hole.is_some()
            && let Some(newest) = newest
        {
            let window = Window { from: newest, to: last, first: false, look: false };
            let mut remarks = Vec::new();
            match self.record_gaps(place, window, last, &mut remarks).await {
                Ok(_) => self.note(remarks).await,
                Err(error) => warn!("a gap of {} could not be recorded: {}", key.symbol, format_chain(&error)),
            }
        }
    }

    async fn note_source(&self, kind: RemarkKind, text: String) {
        let remark = Remark { kind, symbol: None, timeframe: None, from: None, to: None, text };
        self.note(vec![remark]).await;
        self.engine.source_changed(self.name());
    }

    async fn note(&self, remarks: Vec<Remark>) {
        self.engine.note(self.name(), &remarks).await;
    }
}

/// A source's clock may be so far ahead of ours; more is refused.
const MAX_AHEAD: SignedDuration = SignedDuration::from_secs(10);

fn remark(kind: RemarkKind, key: &SeriesKey, text: String) -> Remark {
    let (symbol, timeframe) = (Some(key.symbol.clone()), Some(key.timeframe));
    Remark { kind, symbol, timeframe, from: None, to: None, text }
}
