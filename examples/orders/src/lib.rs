//! Order management on eventcore: orders, stock, payments, shipments. See README.md.

// The rules of the shop.
pub mod domain;

// What people ask for, and what follows from it: the commands and the process manager.
pub mod commands;
pub mod fulfilment;
pub mod outside;

// Where the events go, and what is made of them.
pub mod read_models;
pub mod sagas;
pub mod store;

// How people reach it.
pub mod http;
pub mod seed;

// The program itself.
pub mod config;
pub mod load;
pub mod service;
mod supervise;
