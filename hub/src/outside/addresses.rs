//! Which addresses are of the public internet, and may so be asked for plugins.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What is no server of the public internet, though it looks like one.
static NOT_PUBLIC: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    const NETS: &[&str] = &[
        // This machine, and nobody.
        "0.0.0.0/8",
        "127.0.0.0/8",
        // Private ones, and those between a carrier and its customers, where some clouds tell machines their secrets.
        "10.0.0.0/8",
        "100.64.0.0/10",
        "172.16.0.0/12",
        "192.168.0.0/16",
        // The same wire, where other clouds do that.
        "169.254.0.0/16",
        // And one that does it in the midst of public addresses.
        "168.63.129.16/32",
        // For protocols, documents and measurements.
        "192.0.0.0/24",
        "192.0.2.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        // The way into 6to4.
        "192.88.99.0/24",
        // For many, or for nobody yet; the last one is for everybody.
        "224.0.0.0/4",
        "240.0.0.0/4",
        // For protocols, of which Teredo hides another address.
        "2001::/23",
        // Documents.
        "2001:db8::/32",
        "3fff::/20",
        // 6to4 hides another address.
        "2002::/16",
    ];
    NETS.iter().map(|net| net.parse().expect("a network")).collect()
});

/// Is a machine with this address out there for everybody? Of IPv6 that is one eighth at most: everything else is local, is for many,
/// or hides an address of another kind, as `::ffff:127.0.0.1` and `64:ff9b::7f00:1` do.
pub fn is_public(address: IpAddr) -> bool {
    const GLOBAL: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
    const ALL: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);
    let may_be = match address {
        IpAddr::V4(address) => ALL.contains(&address),
        IpAddr::V6(address) => GLOBAL.contains(&address),
    };
    may_be && !NOT_PUBLIC.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests {
    use url::{Host, Url};

    use super::*;

    /// As it stands in a URL, in whatever form somebody may write it.
    fn literal(host: &str) -> IpAddr {
        match Url::parse(&format!("http://{host}/")).expect(host).host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            other => panic!("{host} is {other:?}"),
        }
    }

    /// F: P-09
    #[test]
    fn what_is_not_public_is_found_in_every_form() {
        for host in [
            "127.0.0.1",
            "127.255.255.254",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "127.0.0.1.",
            "%31%32%37.0.0.1",
            "①②⑦.0.0.1",
            "0",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "169.254.169.254",
            "0xa9fea9fe",
            "168.63.129.16",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "192.88.99.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::127.0.0.1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::ffff:8.8.8.8]",
            "[::ffff:0:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b::8.8.8.8]",
            "[64:ff9b:1::a00:1]",
            "[100::1]",
            "[2001::1]",
            "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
            "[2001:2::1]",
            "[2001:10::1]",
            "[2001:20::1]",
            "[2001:db8::1]",
            "[2002:7f00:1::1]",
            "[2002:a9fe:a9fe::1]",
            "[3fff::1]",
            "[5f00::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[febf::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[ff0e::1]",
            "[4000::1]",
        ] {
            assert!(!is_public(literal(host)), "{host}");
        }
        for host in [
            "1.1.1.1",
            "8.8.8.8",
            "0x08080808",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.167.255.255",
            "192.169.0.1",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "[2606:4700::1111]",
            "[2001:4860:4860::8888]",
            "[2003::1]",
            "[2a00:1450::1]",
        ] {
            assert!(is_public(literal(host)), "{host}");
        }
    }
}
