//! Who has answered on the wire (ARP), and what a `Date` says: two small texts, read without trust.

use std::net::IpAddr;

use roomtone_schema::UnixMillis;

/// In the kernel's table: the address has been answered for.
const COMPLETE: u32 = 0x2;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The kernel's table of neighbours (`/proc/net/arp`), each with whether it has answered.
pub(super) fn neighbours(table: &str) -> Vec<(IpAddr, bool)> {
    let row = |line: &str| {
        let mut fields = line.split_whitespace();
        let ip = fields.next()?.parse().ok()?;
        let flags = fields.nth(1)?.strip_prefix("0x")?;
        Some((ip, u32::from_str_radix(flags, 16).ok()? & COMPLETE != 0))
    };
    table.lines().skip(1).filter_map(row).collect()
}

/// The default routers of the kernel's table of routes (`/proc/net/route`).
pub(super) fn routers(table: &str) -> Vec<IpAddr> {
    let row = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (to, over) = (fields.next()?, fields.next()?);
        let over = u32::from_str_radix(over, 16).ok().filter(|over| *over != 0 && to == "00000000")?;
        // In the byte order of the machine, as memory has it.
        Some(IpAddr::from(over.to_ne_bytes()))
    };
    table.lines().skip(1).filter_map(row).collect()
}

/// An HTTP `Date` (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn date(text: &str) -> Option<UnixMillis> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let sane = (1..=31).contains(&day)
        && (1..=9999).contains(&year)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    sane.then_some(UnixMillis(seconds * 1000))
}

/// Days since 1970-01-01 of the Gregorian calendar, by years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_beginning("Thu, 01 Jan 1970 00:00:00 GMT", Some(0))]
    #[case::the_standards_own("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777_000))]
    #[case::a_leap_day("Thu, 29 Feb 2024 12:00:00 GMT", Some(1_709_208_000_000))]
    #[case::nothing("", None)]
    #[case::words("Sun, 06 Foo 1994 08:49:37 GMT", None)]
    #[case::no_such_hour("Sun, 06 Nov 1994 28:49:37 GMT", None)]
    fn a_date_is_read(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(date(text), expected.map(UnixMillis));
    }

    #[test]
    fn neighbours_are_those_who_answered_and_those_who_did_not() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     192.168.1.1      0x1         0x2         02:fc:00:00:00:05     *        eth0\n\
                     192.168.1.20     0x1         0x0         00:00:00:00:00:00     *        eth0\n\
                     nonsense\n";
        let expected = [("192.168.1.1", true), ("192.168.1.20", false)];
        assert_eq!(neighbours(table), expected.map(|(ip, answered)| (ip.parse().unwrap(), answered)));
    }

    #[test]
    fn the_router_is_the_way_to_everywhere() {
        let router = u32::from_ne_bytes([192, 168, 1, 1]);
        let table = format!(
            "Iface Destination Gateway\neth0 00000000 {router:08X} 0003\neth0 0001A8C0 00000000 0001\n"
        );
        assert_eq!(routers(&table), ["192.168.1.1".parse::<IpAddr>().unwrap()]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,80}", day in -9..99_i64, year in -9..99_999_i64) {
            let _whatever = (date(&text), neighbours(&text), routers(&text));
            let _whatever = date(&format!("Sun, {day} Feb {year} 01:02:03 GMT"));
        }
    }
}
