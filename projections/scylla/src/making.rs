//! Making tables, and dropping them.

use projections_port::ViewError;

use crate::cql::Cql;
use crate::tables::Table;

/// The version of what [`define`] and [`make_rows`] make. 2: ids that Postrider gave events lie by tenant and time; 3: those of
/// deliveries by time.
pub(crate) const VERSION: i64 = 3;

/// Makes what is in no generation, where it isn't there. Run twice, or by two at once, it changes nothing.
pub(crate) async fn define(cql: &Cql, keyspace: &str, replication: u32) -> Result<(), ViewError> {
    let named = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
    let there: Vec<(String,)> = cql.ask(named, (keyspace.to_lowercase(),)).await?;
    if there.is_empty() {
        cql.define(&format!(
            "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = \
             {{'class': 'NetworkTopologyStrategy', 'replication_factor': {replication}}}"
        ))
        .await?;
    }
    let tables = vec![
        ("meta".to_owned(), "(name text PRIMARY KEY, number bigint)"),
        (
            // Rows of one day end together, by their TTL.
            "keys".to_owned(),
            "(scope blob, position bigint, value blob, PRIMARY KEY (scope, position)) \
             WITH CLUSTERING ORDER BY (position DESC) AND compaction = \
             {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'DAYS', 'compaction_window_size': 1}",
        ),
    ];
    make(cql, keyspace, tables).await
}

/// Makes the tables of these names and columns that aren't there. A start that finds all of them changes nothing
/// in the schema, which several Cassandra nodes don't agree on at once.
async fn make(
    cql: &Cql,
    keyspace: &str,
    tables: Vec<(String, &'static str)>,
) -> Result<(), ViewError> {
    let named = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?";
    let there: Vec<(String,)> = cql.ask(named, (keyspace.to_lowercase(),)).await?;
    for (name, columns) in tables {
        if !there.iter().any(|(there,)| *there == name) {
            cql.define(&format!(
                "CREATE TABLE IF NOT EXISTS {keyspace}.{name} {columns}"
            ))
            .await?;
        }
    }
    Ok(())
}

/// Makes the tables of generation `number`, where they aren't there.
pub(crate) async fn make_rows(cql: &Cql, keyspace: &str, number: i64) -> Result<(), ViewError> {
    let columns = "(owner blob, bucket bigint, key blob, value blob, routed blob, \
                   PRIMARY KEY ((owner, bucket), key))";
    let rows = Table::ALL.map(|table| (table.name(), columns));
    let others = [
        (
            "buckets",
            "(kind tinyint, owner blob, bucket bigint, PRIMARY KEY ((kind, owner), bucket))",
        ),
        (
            "owners",
            "(kind tinyint, owner blob, PRIMARY KEY (kind, owner))",
        ),
        (
            "claims",
            "(shard int, claim text, taken bigint, live bigint, shown blob, \
             PRIMARY KEY (shard, claim))",
        ),
        (
            "state",
            "(claim text, epoch bigint, key blob, value blob, \
             PRIMARY KEY ((claim, epoch), key))",
        ),
    ];
    let tables = rows.into_iter().chain(others);
    let tables = tables.map(|(table, columns)| (format!("{table}_g{number}"), columns));
    make(cql, keyspace, tables.collect()).await
}

/// Drops the tables of a generation that counts no more.
pub(crate) async fn drop_rows(cql: &Cql, keyspace: &str, number: i64) -> Result<(), ViewError> {
    let rows = Table::ALL.map(Table::name);
    for table in rows.iter().chain(&["buckets", "owners", "claims", "state"]) {
        let text = format!("DROP TABLE IF EXISTS {keyspace}.{table}_g{number}");
        cql.define(&text).await?;
    }
    Ok(())
}
