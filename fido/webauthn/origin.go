package webauthn

import (
	"net/netip"
	"strconv"
	"strings"
)

// origin is a tuple origin (HTML, 7.1.1) that may use WebAuthn.
type origin struct {
	scheme, host string
	port         string // empty: the scheme's own; * in a Party alone
}

// parseOrigin reads an origin in the one form that browsers write: scheme and
// host in lower case, a host in Punycode, no port where it is the scheme's own,
// no path. Another form is refused and not put right: the octets go into the
// client data and are compared by the relying party. What HTML calls
// potentially trustworthy, here, is https, and http on localhost and below.
func parseOrigin(s, field string) (origin, error) {
	if s == "null" || s == "" {
		return origin{}, &Error{NotAllowedError, OriginRefused, field, "the page has an opaque origin"}
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || rest == "" {
		return origin{}, originRefused(field, "not an origin: scheme://host[:port]")
	}
	o := origin{scheme: scheme, host: rest}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.HasSuffix(rest, "]") {
		o.host, o.port = rest[:i], rest[i+1:]
		if o.port != "*" && !goodPort(scheme, o.port) {
			return origin{}, originRefused(field, "not an origin's port, or the scheme's own, which is left out")
		}
	}
	if isIP(o.host) {
		if !goodIP(o.host) {
			return origin{}, originRefused(field, "the host is a malformed IP address")
		}
	} else if why := badDomain(o.host); why != "" {
		return origin{}, originRefused(field, "the host "+why)
	}
	switch {
	case scheme == "https":
	case scheme == "http" && isLocal(o.host):
	case scheme == "http":
		return origin{}, originRefused(field, "http is a secure context on localhost alone")
	default:
		return origin{}, originRefused(field, "neither https nor http on localhost")
	}
	return o, nil
}

// callerOrigin is parseOrigin for who calls: its host is to be an RP ID, so it
// may not be an address (WebAuthn L3, 5.1.3, effective domain).
func callerOrigin(s, field string) (origin, error) {
	o, err := parseOrigin(s, field)
	if err == nil && isIP(o.host) {
		return o, originRefused(field, "the host is an IP address, and no RP ID can be one: use localhost")
	}
	return o, err
}

func goodPort(scheme, port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	own := map[string]uint64{"https": 443, "http": 80}
	return err == nil && n > 0 && n != own[scheme] && strconv.FormatUint(n, 10) == port
}

// isLocal is whether a host is localhost or below it (Secure Contexts, 3.1).
func isLocal(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// isIP is whether the URL standard reads a host as an address: IPv6 in
// brackets, or a last label that is a number (URL, 3.5).
func isIP(host string) bool {
	if strings.HasPrefix(host, "[") {
		return true
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" {
		return false
	}
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

func goodIP(host string) bool {
	v6, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		v6, ok := strings.CutSuffix(v6, "]")
		addr, err := netip.ParseAddr(v6)
		return ok && err == nil && addr.Is6() && strings.Trim(v6, "0123456789abcdef:") == ""
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Is4()
}

// badDomain is why a host is no valid domain string in ASCII (URL, 3.4; RFC
// 1034, 3.5), empty where it is one.
func badDomain(host string) string {
	if host == "" || len(host) > 253 {
		return "is empty or too long"
	}
	for label := range strings.SplitSeq(host, ".") {
		switch {
		case label == "":
			return "has an empty label or ends in a dot"
		case len(label) > 63:
			return "has a label of more than 63 octets"
		case label[0] == '-' || label[len(label)-1] == '-':
			return "has a label that begins or ends with a hyphen"
		}
		for i := range len(label) {
			switch c := label[i]; {
			case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			case c >= 'A' && c <= 'Z':
				return "is not in lower case"
			case c >= 0x80:
				return "is not in ASCII: write it in Punycode (xn--)"
			default:
				return "has characters that a domain cannot have"
			}
		}
	}
	return ""
}
