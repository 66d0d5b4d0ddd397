//! The web console of an eventcore database: pages that show what is there and what happens, made on
//! the server. `eventcore console` starts it.
//!
//! It asks the database only what the crate `eventcore-inspect` asks, on sessions that cannot write.
//! Everything that it answers is in one table of [routes](routes::all), from which the router is
//! made.
//!
//! ```no_run
//! use eventcore_console::{Console, Options};
//! use eventcore_inspect::connection::{Environment, Given, resolve};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let target = resolve(&Given::default(), &Environment::of_process())?;
//! let console = Console::bind(Options::new(target)).await?;
//! println!("http://{}", console.address());
//! console.run(std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```

// Starting it.
mod console;
mod options;

// One request: what is asked, by whom, what is answered.
mod answer;
mod asked;
mod failure;
mod page;

// The table of what is asked, and the frames around its entries.
mod actions;
mod assets;
mod guard;
pub mod routes;

// What all requests share.
mod doctor;
mod monitor;
mod pool;
mod state;
mod tail;

// What is shown.
mod pages;
mod view;

pub use console::{Console, StartError};
pub use options::{Options, Secret};
