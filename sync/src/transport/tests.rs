use super::*;

#[test]
fn an_address_is_a_scheme_a_host_and_a_port() {
    let (address, path) = Address::split("https://cloud.example/a?b=c").unwrap();
    assert_eq!((address.is_secure, address.port, path.as_str()), (true, 443, "/a?b=c"));
    assert_eq!(address.host_header(), "cloud.example");
    let local = Address::parse("http://[::1]:8080").unwrap();
    assert_eq!((local.host.as_str(), local.host_header().as_str()), ("::1", "[::1]:8080"));
    for wrong in ["cloud.example", "ftp://cloud.example", "", "https://"] {
        assert!(Address::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_proxys_page_is_judged_by_its_status() {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, "7".parse().unwrap());
    let problem = problem_of(StatusCode::SERVICE_UNAVAILABLE, &headers, b"<html>");
    assert_eq!((problem.code, problem.retry_after_ms), (ProblemCode::Busy, Some(7_000)));
    let gone = problem_of(StatusCode::BAD_GATEWAY, &HeaderMap::new(), b"");
    assert_eq!(gone.code, ProblemCode::Failed);
}
