package rpcheck

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// key is a JSON Web Key as it is published (RFC 7517, 4; RFC 7518, 6). A private
// member is only noted, and never kept.
type key struct {
	kty, kid, use, alg string
	bits               int // of an RSA modulus
	exponent           bool
	private            []string // names of private members
}

const (
	mostKeys  = 100
	leastBits = 2048
	mostKid   = 60 // octets that are shown
)

// privateMembers are those of RSA and elliptic curve keys (RFC 7518, 6.2.2,
// 6.3.2).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth"}

var errNotJWKS = errors.New("it is no JWK set: a JSON object with a list `keys`")

// readJWKS reads a JWK set. It is stricter than a library that looks for a key
// to use: what it cannot read is no key.
func readJWKS(text []byte) ([]key, error) {
	var set struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil || set.Keys == nil {
		return nil, errNotJWKS
	}
	if len(set.Keys) > mostKeys {
		return nil, fmt.Errorf("it has %d keys; at most %d are looked at", len(set.Keys), mostKeys)
	}
	keys := make([]key, len(set.Keys))
	for i, members := range set.Keys {
		k := &keys[i]
		for name, to := range map[string]*string{"kty": &k.kty, "kid": &k.kid, "use": &k.use, "alg": &k.alg} {
			if raw, ok := members[name]; ok && json.Unmarshal(raw, to) != nil {
				return nil, fmt.Errorf("key %d: %s is no text", i+1, name)
			}
		}
		for _, name := range privateMembers {
			if _, ok := members[name]; ok {
				k.private = append(k.private, name)
			}
		}
		if k.kty == "RSA" {
			k.bits = number(members["n"]).BitLen()
			k.exponent = number(members["e"]).Cmp(big.NewInt(2)) > 0
		}
	}
	return keys, nil
}

// number is a Base64urlUInt (RFC 7518, 2), 0 if it is none.
func number(raw json.RawMessage) *big.Int {
	var text string
	n := new(big.Int)
	if json.Unmarshal(raw, &text) != nil {
		return n
	}
	if octets, err := base64.RawURLEncoding.DecodeString(text); err == nil {
		n.SetBytes(octets)
	}
	return n
}

// signs is whether a key may be there to verify the application's assertions.
func (k key) signs() bool { return k.use == "" || k.use == "sig" }

// name tells a key of a set, for a person.
func (k key) name(i int) string {
	if k.kid == "" {
		return fmt.Sprintf("key %d", i+1)
	}
	return fmt.Sprintf("key %d (%s)", i+1, printable(k.kid, mostKid))
}

// judgeKeys holds a key set against the registration.
func judgeKeys(keys []key, r cis2.Registration) []row {
	allowed := []string{"RS256", "RS512"}
	if r.SigningAlgorithm != "" {
		allowed = []string{r.SigningAlgorithm}
	}
	var private, small, nameless, algorithms, uses []string
	usable := 0
	kids := map[string]int{}
	for i, k := range keys {
		usableKey := k.kty == "RSA" && k.bits >= leastBits && k.kid != "" && k.signs() && (k.alg == "" || slices.Contains(allowed, k.alg))
		kids[k.kid]++
		if len(k.private) > 0 {
			private = append(private, k.name(i)+" has "+strings.Join(k.private, ", "))
		}
		switch {
		case k.kid == "":
			nameless = append(nameless, k.name(i)+" has none")
		case kids[k.kid] == 2:
			nameless = append(nameless, k.name(i)+" has that of another")
			usableKey = false
		}
		switch {
		case k.kty == "oct" || strings.HasPrefix(k.alg, "HS"):
			algorithms = append(algorithms, k.name(i)+" is for a shared secret, which is no secret once it is published")
			usableKey = false
		case !k.signs():
		case k.alg != "" && !slices.Contains(allowed, k.alg):
			algorithms = append(algorithms, k.name(i)+" is for "+printable(k.alg, mostKid))
		}
		if k.kty == "RSA" && (k.bits < leastBits || !k.exponent) {
			small = append(small, fmt.Sprintf("%s has %d bits", k.name(i), k.bits))
		}
		if k.use != "" && k.use != "sig" && k.use != "enc" {
			uses = append(uses, k.name(i)+" has use "+printable(k.use, mostKid))
		}
		if usableKey {
			usable++
		}
	}
	rows := []row{
		none("jwks-private", "public members alone", private, "RFC 7517, 9.2; RFC 7518, 6.3.2",
			"Take the set down, make a new key, and publish its public half alone: whoever has fetched the set can authenticate as the application."),
		none("jwks-size", fmt.Sprintf("RSA keys of %d bits or more", leastBits), small, "RFC 7518, 3.3",
			"Make a new RSA key of 2048 bits or more."),
		none("jwks-kid", "a kid of its own for each key", nameless, "RFC 7517, 4.5; NHS: private key JWT",
			"Give each key a `kid` of its own, such as its thumbprint (RFC 7638), and put it in the header of each assertion."),
		none("jwks-algorithms", strings.Join(allowed, " or "), append(algorithms, uses...), "RFC 7517, 4.2, 4.4; NHS: signing algorithm of the registration",
			"Publish RSA keys with `use` sig, and with the `alg` that is registered or none."),
	}
	return append(rows, usableRow(usable, len(keys), allowed, len(private)+len(small)+len(nameless)+len(algorithms)+len(uses) > 0), rolloverRow(keys))
}

// usableRow is whether assertions can be verified at all. What is wrong with a
// single key is in the rows before, and said once.
func usableRow(usable, all int, allowed []string, said bool) row {
	r := row{
		Name: "jwks-usable", State: contract.Pass, Expected: "a key for " + strings.Join(allowed, " or "), Got: fmt.Sprintf("%d of %d", usable, all),
		Clause: "NHS: private key JWT", Code: string(failure.RPJWKS),
	}
	switch {
	case usable > 0:
	case said:
		r.State, r.Evidence = contract.Unknown, "what is wrong with each key is said above"
	default:
		r.State, r.Remedy = contract.Fail, "Publish the RSA key that assertions are signed with."
	}
	return r
}

// rolloverRow looks at how many keys there are to change over with.
func rolloverRow(keys []key) row {
	signing := 0
	for _, k := range keys {
		if k.signs() {
			signing++
		}
	}
	r := row{
		Name: "jwks-rollover", State: contract.Pass, Expected: "one key, or two while one takes over", Got: fmt.Sprintf("%d keys that sign", signing),
		Clause: "OpenID Connect Core 1.0, 10.1.1; NHS: keep the old key published (manage-vaccinations-in-schools)", Code: string(failure.RPJWKS),
	}
	switch {
	case signing == 1:
		r.Got = "1 key that signs"
		r.Evidence = "before it is changed, publish the new one beside it, and keep the old one until the last assertion has expired"
	case signing > 3:
		r.State, r.Remedy = contract.Warn, "Take keys down that nothing is signed with any more: each is one more to be stolen."
	}
	return r
}

// none passes where nothing was found.
func none(name, expected string, found []string, clause, remedy string) row {
	r := row{Name: name, State: contract.Pass, Expected: expected, Got: "as expected", Clause: clause, Code: string(failure.RPJWKS)}
	if len(found) > 0 {
		r.State, r.Got, r.Remedy = contract.Fail, strings.Join(found, "; "), remedy
	}
	return r
}
