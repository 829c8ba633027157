use proptest::prelude::*;

use super::*;

fn parse(url: &str) -> Result<String, BadTarget> {
    Target::parse(url, &Rules::default()).map(|target| target.to_string())
}

#[test]
fn what_is_taken_and_what_becomes_of_it() {
    for (url, expected) in [
        ("https://example.com", "https://example.com/"),
        (
            "https://example.com/hooks?a=1&b=%20#top",
            "https://example.com/hooks?a=1&b=%20",
        ),
        ("HTTPS://Example.COM/Hooks", "https://example.com/Hooks"),
        ("https://example.com:443/", "https://example.com/"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("http://example.com:80/", "http://example.com/"),
        ("https://example.com./x", "https://example.com/x"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://example。com/", "https://example.com/"),
        ("https://EXAMPLE%2Ecom/", "https://example.com/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://0x08080808/", "https://8.8.8.8/"),
        (
            "https://[2606:4700:4700::1111]/",
            "https://[2606:4700:4700::1111]/",
        ),
        ("https://[::ffff:8.8.8.8]/", "https://8.8.8.8/"),
        ("https://example.com/a/../b", "https://example.com/b"),
        (
            "https://example.com/@me?to=a@b",
            "https://example.com/@me?to=a@b",
        ),
        ("https://my_host.example/", "https://my_host.example/"),
    ] {
        assert_eq!(parse(url).as_deref(), Ok(expected), "{url}");
    }
}

#[test]
fn every_spelling_of_an_address_that_may_not_be_dialled() {
    for (host, meant) in [
        ("127.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0X7F000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127。0。0。1", "127.0.0.1"),
        ("127．0．0．1", "127.0.0.1"),
        ("127｡0｡0｡1", "127.0.0.1"),
        ("１２７.0.0.1", "127.0.0.1"),
        ("①②⑦.0.0.1", "127.0.0.1"),
        ("127%2e0%2e0%2e1", "127.0.0.1"),
        ("%31%32%37.0.0.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("0.0.0.0", "0.0.0.0"),
        ("169.254.169.254", "169.254.169.254"),
        ("2852039166", "169.254.169.254"),
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[::]", "::"),
        ("[::ffff:7f00:1]", "127.0.0.1"),
        ("[::ffff:127.0.0.1]", "127.0.0.1"),
        ("[::FFFF:A9FE:A9FE]", "169.254.169.254"),
        ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1"),
        ("[fe80::1]", "fe80::1"),
        ("[fd00:ec2::254]", "fd00:ec2::254"),
        ("localhost", "localhost"),
        ("LocalHost", "localhost"),
        ("localhost.", "localhost"),
        ("api.localhost", "api.localhost"),
        ("ｌｏｃａｌｈｏｓｔ", "localhost"),
        ("loc%61lhost", "localhost"),
    ] {
        let refused = Err(BadTarget::Address(meant.to_owned()));
        assert_eq!(parse(&format!("https://{host}/")), refused, "{host}");
        assert_eq!(parse(&format!("http://{host}:80")), refused, "{host}");
    }
}

#[test]
fn what_two_readers_may_understand_differently() {
    let long = format!("https://example.com/{}", "x".repeat(MAX_URL));
    let label = format!("https://{}.com/", "x".repeat(64));
    for url in [
        "",
        "example.com",
        "//example.com/",
        "https:example.com",
        "https:/example.com",
        "https:///example.com",
        "https://",
        "https://?x",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://@example.com/",
        "https://example.com@127.0.0.1/",
        "https://127.0.0.1%40example.com/",
        "https://example.com\\@127.0.0.1/",
        "https:\\\\example.com\\",
        "https://example.com/\\..",
        " https://example.com/",
        "https://example.com/ ",
        "https://exam\tple.com/",
        "https://example.com/\r\nhost: x",
        "ht\ntps://example.com/",
        "https://example.com/\0",
        "https://exa mple.com/",
        "https://example.com/\u{a0}",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[::1",
        "https://[::ffff:127.0.0.256]/",
        "https://127.0.0.256/",
        "https://1.2.3.4.5/",
        "https://0x/",
        "https://example.com:/",
        "https://example.com:443x/",
        "https://example.com:99999/",
        "https://example.com:-1/",
        "https://example..com/",
        "https://example.com../",
        "https://.example.com/",
        "https://./",
        "https://exa!mple.com/",
        "https://*.example.com/",
        "https://exa%00mple.com/",
        &long,
        &label,
    ] {
        let read = parse(url);
        let is_refused = matches!(
            read,
            Err(BadTarget::Malformed(_)) | Err(BadTarget::Address(_))
        );
        assert!(is_refused, "{url:?}: {read:?}");
    }
}

#[test]
fn schemes_and_ports() {
    let rules = Rules {
        https_only: true,
        ports: Some(BTreeSet::from([443, 8443])),
        ..Rules::default()
    };
    for (url, expected) in [
        ("https://example.com/", Ok(443)),
        ("https://example.com:8443/", Ok(8443)),
        ("https://example.com:22/", Err(BadTarget::Port(22))),
        ("https://example.com:0/", Err(BadTarget::Port(0))),
        (
            "http://example.com/",
            Err(BadTarget::Scheme("only https is allowed")),
        ),
        (
            "ftp://example.com/",
            Err(BadTarget::Scheme("only http and https are allowed")),
        ),
        (
            "file:///etc/passwd",
            Err(BadTarget::Malformed("the URL has no host")),
        ),
        (
            "gopher://example.com/",
            Err(BadTarget::Scheme("only http and https are allowed")),
        ),
        (
            "ws://example.com/",
            Err(BadTarget::Scheme("only http and https are allowed")),
        ),
    ] {
        let read = Target::parse(url, &rules).map(|target| target.port());
        assert_eq!(read, expected, "{url}");
    }
    let any = Target::parse("http://example.com:0/", &Rules::development());
    assert_eq!(any, Err(BadTarget::Port(0)));
}

#[test]
fn an_operator_may_allow_what_is_not_public() {
    let rules = Rules {
        allowed: vec!["10.1.0.0/16".parse().unwrap()],
        ..Rules::default()
    };
    assert!(Target::parse("http://10.1.2.3/", &rules).is_ok());
    assert!(Target::parse("http://[::ffff:10.1.2.3]/", &rules).is_ok());
    assert!(Target::parse("http://10.2.2.3/", &rules).is_err());
    assert!(Target::parse("http://localhost/", &rules).is_err());
    let development = Rules::development();
    for url in [
        "http://localhost:9/",
        "http://127.0.0.1:9/x",
        "http://[::1]:9/",
        "http://127.1:9/",
    ] {
        assert!(Target::parse(url, &development).is_ok(), "{url}");
    }
    for url in [
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://0.0.0.0/",
    ] {
        assert!(Target::parse(url, &development).is_err(), "{url}");
    }
}

#[test]
fn what_the_parts_are() {
    let target = Target::parse("https://Example.com:8443?x=1", &Rules::development()).unwrap();
    assert_eq!(*target.name(), Name::Domain("example.com".to_owned()));
    assert_eq!(target.authority(), "example.com:8443");
    assert_eq!(target.path_and_query(), "/?x=1");
    assert!(target.is_https());
    let address = Target::parse("http://[2606:4700::1]/", &Rules::default()).unwrap();
    assert_eq!(
        *address.name(),
        Name::Address("2606:4700::1".parse().unwrap())
    );
    assert_eq!(address.authority(), "[2606:4700::1]");
}

proptest! {
    #[test]
    fn whatever_is_written_it_is_permitted_or_refused(url in "(https?://)?[ -~é。①]{0,40}(:[0-9]{1,5})?(/[ -~]{0,10})?") {
        let rules = Rules { ports: None, ..Rules::default() };
        if let Ok(target) = Target::parse(&url, &rules) {
            if let Name::Address(address) = target.name() {
                prop_assert!(rules.permits(*address));
            }
            // What it was understood as is understood as the same again.
            prop_assert_eq!(Target::parse(&target.to_string(), &rules), Ok(target));
        }
    }

    #[test]
    fn a_number_is_the_address_it_counts_to(bits: u32, form in 0_usize..5) {
        let [a, b, c, d] = bits.to_be_bytes();
        let low = u32::from_be_bytes([0, b, c, d]);
        let host = match form {
            0 => bits.to_string(),
            1 => format!("{bits:#x}"),
            2 => format!("0{bits:o}"),
            3 => format!("{a}.{low}"),
            _ => format!("0{a:o}.{b}.{:#x}", u32::from_be_bytes([0, 0, c, d])),
        };
        let address = IpAddr::from([a, b, c, d]);
        let read = Target::parse(&format!("http://{host}/"), &Rules::default());
        prop_assert_eq!(read.is_ok(), address::is_public(address));
        if let Ok(target) = read {
            prop_assert_eq!(target.name(), &Name::Address(address));
        }
    }
}
