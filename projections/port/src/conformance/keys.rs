//! The keyed store.

use super::Fixture;
use super::samples::{at, tenant};
use crate::keys::{First, KeyScope, Keys};

fn scope(tenant_name: &str, partition: u32, key: &str) -> KeyScope {
    KeyScope {
        tenant: tenant(tenant_name),
        partition,
        key: key.parse().unwrap(),
    }
}

fn first(offset: u64) -> First {
    First {
        offset,
        appended_at: at(offset),
        payload_sha256: [u8::try_from(offset % 251).unwrap(); 32],
        event: format!("event-{offset}").parse().unwrap(),
    }
}

async fn look(keys: &dyn Keys, scope: &KeyScope, offset: u64) -> Option<u64> {
    let found = keys.firsts(&[(scope.clone(), offset)]).await.unwrap();
    assert_eq!(found.len(), 1);
    found[0].as_ref().map(|found| {
        assert_eq!(*found, first(found.offset));
        found.offset
    })
}

/// Of a key's rows the one that counts is the highest at or below the offset.
pub async fn the_highest_not_above(fixture: &dyn Fixture) {
    let keys = fixture.keys().await;
    let key = scope("a", 0, "k");
    keys.put(&[(key.clone(), first(300)), (key.clone(), first(5))])
        .await
        .unwrap();
    for (offset, wanted) in [
        (0, None),
        (4, None),
        (5, Some(5)),
        (299, Some(5)),
        (300, Some(300)),
        (u64::MAX, Some(300)),
    ] {
        assert_eq!(look(&*keys, &key, offset).await, wanted, "{offset}");
    }
    let many = [(key.clone(), 300), (scope("a", 0, "none"), 9), (key, 5)];
    let found = keys.firsts(&many).await.unwrap();
    assert_eq!(found, [Some(first(300)), None, Some(first(5))]);
}

/// Tenant, partition and key are all of the scope, and no text can make two the same.
pub async fn scopes_are_apart(fixture: &dyn Fixture) {
    let keys = fixture.keys().await;
    let longest = "x".repeat(2_200);
    let scopes = [
        scope("a", 0, "k"),
        scope("b", 0, "k"),
        scope("a", 1, "k"),
        scope("a", 0, "k\0"),
        scope("a", 0, "kk"),
        scope("a", 0, "\0k"),
        scope("ak", 0, "k"),
        scope("a", u32::MAX, &longest),
    ];
    for (offset, scope) in (1..).zip(&scopes) {
        keys.put(&[(scope.clone(), first(offset))]).await.unwrap();
    }
    for (offset, scope) in (1..).zip(&scopes) {
        assert_eq!(look(&*keys, scope, u64::MAX).await, Some(offset));
        assert_eq!(look(&*keys, scope, offset - 1).await, None);
    }
}

/// Writing a row again changes nothing.
pub async fn written_twice(fixture: &dyn Fixture) {
    let keys = fixture.keys().await;
    let key = scope("a", 0, "k");
    keys.put(&[]).await.unwrap();
    for _ in 0..2 {
        keys.put(&[(key.clone(), first(7))]).await.unwrap();
    }
    assert_eq!(look(&*keys, &key, 7).await, Some(7));
}

/// Rows go by their records' age.
pub async fn forgotten(fixture: &dyn Fixture) {
    let keys = fixture.keys().await;
    let rows: Vec<_> = (0..50)
        .map(|n| (scope("a", 0, &format!("k{n}")), first(n)))
        .collect();
    keys.put(&rows).await.unwrap();
    keys.expire(at(30)).await.unwrap();
    for (scope, row) in &rows {
        let left = (row.offset >= 30).then_some(row.offset);
        assert_eq!(look(&*keys, scope, u64::MAX).await, left);
    }
}

/// What `put` returned for is there after a restart; a clear of the views leaves it.
pub async fn keys_outlive_a_restart(fixture: &dyn Fixture) {
    let keys = fixture.keys().await;
    let key = scope("a", 0, "k");
    keys.put(&[(key.clone(), first(7))]).await.unwrap();
    fixture.views().await.clear().await.unwrap();
    assert_eq!(look(&*keys, &key, 7).await, Some(7));
    drop(keys);
    if fixture.restart().await {
        assert_eq!(look(&*fixture.keys().await, &key, 7).await, Some(7));
    }
}
