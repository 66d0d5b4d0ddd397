//! Node with node-postgres and Postgres.js.

use super::{Folder, banking, output, program, tours};

#[test]
fn node_postgres_and_postgres_js_make_the_tour_and_the_former_ends_with_the_balances_of_the_run_in_rust()
 {
    let (node, npm) = (program("node", "nodejs"), program("npm", "npm"));
    let folder = Folder::new("node");
    folder.copy("examples/drivers/node");
    folder.copy(banking::EXAMPLE);
    let mut install = folder.command(npm, "postgres");
    install.args(["install", "--no-audit", "--no-fund", "--ignore-scripts"]);
    output(install.args(["pg@8", "postgres@3"]));

    for driver in ["pg", "postgres"] {
        let mut tour = folder.command(&node, &tours::database(&format!("node_{driver}")));
        let result = output(tour.arg(format!("tour_{driver}.mjs")));
        assert_eq!(result, tours::EXPECTED, "{driver}");
    }
    let mut run = folder.command(&node, &banking::bank("node"));
    assert_eq!(output(run.arg("run.mjs")), banking::EXPECTED);
}
