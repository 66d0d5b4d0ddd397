//! Python with psycopg and asyncpg.

use super::{Folder, banking, output, program, tours};

#[test]
fn psycopg_and_asyncpg_make_the_tour_and_psycopg_ends_with_the_balances_of_the_run_in_rust() {
    let folder = Folder::new("python");
    folder.copy("examples/drivers/python");
    folder.copy(banking::EXAMPLE);
    let python = program("python3", "python3-venv");
    let mut venv = folder.command(python, "postgres");
    let made = venv.args(["-m", "venv", "venv"]).output().unwrap();
    assert!(
        made.status.success(),
        "Python makes no virtual environment: `apt-get install python3-venv`\n{}{}",
        String::from_utf8_lossy(&made.stdout),
        String::from_utf8_lossy(&made.stderr)
    );
    let python = folder.path("venv/bin/python");
    let mut pip = folder.command(&python, "postgres");
    pip.args(["-m", "pip", "install", "--quiet"]);
    output(pip.args(["psycopg[binary]>=3.2,<4", "asyncpg>=0.29,<1"]));

    for driver in ["psycopg", "asyncpg"] {
        let mut tour = folder.command(&python, &tours::database(driver));
        let result = output(tour.arg(format!("tour_{driver}.py")));
        assert_eq!(result, tours::EXPECTED, "{driver}");
    }
    let mut run = folder.command(&python, &banking::bank("psycopg"));
    assert_eq!(output(run.arg("run.py")), banking::EXPECTED);
}
