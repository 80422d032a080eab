package nhs

import (
	"slices"
	"strings"
)

// Product is what an installed program is to a sign-in.
type Product string

// The products. A program is known by the name that NHS pages give it.
const (
	IdentityAgent        Product = "NHS Identity Agent"
	CredentialManagement Product = "NHS Credential Management" //nolint:gosec // the name of a program
	SmartcardConnect     Product = "NHS Smartcard Connect"
	OberthurMiddleware   Product = "Oberthur middleware"
)

// Program is an installed program.
type Program struct {
	Is      Product
	Name    string // as the list of installed programs has it
	Version string // often dotted numbers; empty: it does not say
}

// entry is one of the list of installed programs.
type entry struct{ name, version string }

// programsOf picks out what matters. The same program in the lists of 64 and 32
// bits, or of the machine and the user, is one.
func programsOf(entries []entry) []Program {
	var all []Program
	for _, e := range entries {
		is := productOf(e.name)
		if is == "" {
			continue
		}
		p := Program{Is: is, Name: plain(e.name, 80), Version: plain(e.version, 32)}
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Program) int {
		return strings.Compare(string(a.Is)+a.Version+a.Name, string(b.Is)+b.Version+b.Name)
	})
	return all
}

func productOf(name string) Product {
	lower := strings.ToLower(name)
	has := func(words string) bool { return strings.Contains(lower, words) }
	switch {
	// Version 3 and later of Credential Management bring Smartcard Connect.
	case has("credential management"), has("identity hub") && has("nhs"):
		return CredentialManagement
	case has("smartcard connect"):
		return SmartcardConnect
	case has("identity agent") && (has("nhs") || has("hscic")):
		return IdentityAgent
	case isOberthur(lower):
		return OberthurMiddleware
	}
	return ""
}

func isOberthur(lower string) bool {
	return strings.Contains(lower, "oberthur") || strings.Contains(lower, "authentic webpack")
}

// gatewayOf finds the host among the values of a key of Identity Agent: whatever
// a value is called, that one it signs in at is known by its domain.
func gatewayOf(values []string) string {
	for _, v := range values {
		lower := strings.ToLower(v)
		end := strings.Index(lower, gatewayDomain)
		if end < 0 {
			continue
		}
		begin := end
		for begin > 0 && isHostRune(lower[begin-1]) {
			begin--
		}
		if host := lower[begin : end+len(gatewayDomain)]; strings.HasPrefix(host, "gas.") && len(host) <= 64 {
			return host
		}
	}
	return ""
}

// gatewayDomain is that of the sign-in of CIS1 (domain/cis2.md 2.5).
const gatewayDomain = ".national.ncrs.nhs.uk"

func isHostRune(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.'
}
