//! The storm: real clients, engine and store against the simulated exchange, while everything goes wrong that can.
//!
//! Whatever happens, in the end every series holds what the exchange has, nothing is missing that is not recorded, no
//! closed bar has changed, nothing was known before its close, and nothing broke off. `AUSPEX_STORM_SEEDS` asks for other
//! seeds: `50` for the first fifty, `7..9` for two of them.

mod checks;
mod scene;

use std::time::Duration;

use scene::Scene;

/// Seeds of the ordinary test; each plays another scene.
const SEEDS: std::ops::Range<u64> = 0..5;

/// How long a storm lasts, in real time.
const STORM: Duration = Duration::from_secs(6);

fn seeds() -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("AUSPEX_STORM_SEEDS") else { return SEEDS };
    match text.split_once("..") {
        Some((from, to)) => from.parse().unwrap()..to.parse().unwrap(),
        None => 0..text.parse().unwrap(),
    }
}

#[test]
fn promise_3_what_goes_wrong_changes_nothing_in_the_end() {
    checks::count_panics();
    for seed in seeds() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let outcome = runtime.block_on(weather(seed));
        runtime.shutdown_timeout(Duration::from_secs(5));
        if let Err(what) = outcome {
            panic!("seed {seed} ({}): {what}", scene::of(seed).name);
        }
    }
}

/// One storm, and what follows it.
async fn weather(seed: u64) -> Result<(), String> {
    let panics = checks::n_panics();
    let mut scene = Scene::open(seed, STORM).await;
    let mut watch = checks::Watch::default();
    while scene.clock.now() < scene.storm_ends {
        watch.look(&scene).await?;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let caught_up = tokio::time::Instant::now() + scene.patience;
    loop {
        watch.look(&scene).await?;
        let Some(missing) = checks::missing(&scene).await? else { break };
        if tokio::time::Instant::now() > caught_up {
            let now = scene.clock.now();
            return Err(format!("the storm was over at {} and it is {now}: {missing}", scene.storm_ends));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    scene.close().await?;
    watch.finish(&scene).await?;
    checks::no_revisions(&scene).await?;
    checks::ledger(&scene).await?;
    match checks::n_panics() - panics {
        0 => Ok(()),
        n => Err(format!("{n} tasks panicked")),
    }
}
