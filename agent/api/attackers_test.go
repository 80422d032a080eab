package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/api"
	"authbridge/agent/api/apitest"
	"authbridge/agent/contract"
)

// row is what the tests know of a route: the right it must ask, and a request
// that succeeds. A route without a row here fails the tests.
type row struct {
	right  contract.Right
	target string // path and query of the sample
	body   string
	status int    // of the sample
	order  string // that the virtual devices, or the mock, get from it
}

// rows has one row a route.
func rows() map[string]row {
	return map[string]row{
		"GET /metrics":                             {contract.RightRead, "/metrics", "", 200, ""},
		"GET /openapi.json":                        {contract.RightRead, "/openapi.json", "", 200, ""},
		"GET /v1/authenticators":                   {contract.RightRead, "/v1/authenticators", "", 200, ""},
		"GET /v1/authenticators/{id}":              {contract.RightRead, "/v1/authenticators/card-1", "", 200, ""},
		"GET /v1/authenticators/{id}/blocks":       {contract.RightRead, "/v1/authenticators/card-1/blocks", "", 200, ""},
		"DELETE /v1/authenticators/{id}/blocks":    {contract.RightAdmin, "/v1/authenticators/card-1/blocks", "", 204, ""},
		"GET /v1/authenticators/{id}/certificates": {contract.RightRead, "/v1/authenticators/card-1/certificates", "", 200, ""},
		"POST /v1/authenticators/{id}/read":        {contract.RightLease, "/v1/authenticators/card-1/read", "", 202, ""},
		"GET /v1/bundle":                           {contract.RightRead, "/v1/bundle", "", 200, ""},
		"GET /v1/ceremonies":                       {contract.RightRead, "/v1/ceremonies", "", 200, ""},
		"POST /v1/ceremonies":                      {contract.RightLease, "/v1/ceremonies", `{"lease":"` + apitest.SampleLease + `","fence":1,"type":"get","options":{"challenge":"AA"}}`, 202, ""},
		"GET /v1/ceremonies/{id}":                  {contract.RightRead, "/v1/ceremonies/" + apitest.SampleCeremony, "", 200, ""},
		"DELETE /v1/ceremonies/{id}":               {contract.RightLease, "/v1/ceremonies/" + apitest.SampleCeremony, "", 200, ""},
		"POST /v1/ceremonies/{id}/pin":             {contract.RightLease, "/v1/ceremonies/" + apitest.SampleCeremony + "/pin", `{"pin":"123456"}`, 204, ""},
		"POST /v1/checks/relying-party":            {contract.RightLease, "/v1/checks/relying-party", `{"client":"` + apitest.SampleClient + `"}`, 200, ""},
		"GET /v1/events":                           {contract.RightRead, "/v1/events", "", 200, ""},
		"GET /v1/leases":                           {contract.RightRead, "/v1/leases", "", 200, ""},
		"POST /v1/leases":                          {contract.RightLease, "/v1/leases", `{"aal":3,"target":"mock"}`, 201, ""},
		"GET /v1/leases/{id}":                      {contract.RightRead, "/v1/leases/" + apitest.SampleLease, "", 200, ""},
		"PATCH /v1/leases/{id}":                    {contract.RightLease, "/v1/leases/" + apitest.SampleLease, `{"ttl":"1m"}`, 200, ""},
		"DELETE /v1/leases/{id}":                   {contract.RightLease, "/v1/leases/" + apitest.SampleLease, "", 200, ""},
		"GET /v1/logins":                           {contract.RightRead, "/v1/logins", "", 200, ""},
		"POST /v1/logins":                          {contract.RightLease, "/v1/logins", `{"target":"mock"}`, 202, ""},
		"POST /v1/logins/check":                    {contract.RightLease, "/v1/logins/check", `{"target":"mock"}`, 204, ""},
		"GET /v1/logins/report":                    {contract.RightRead, "/v1/logins/report?suite=" + apitest.SampleSuite, "", 200, ""},
		"GET /v1/logins/{id}":                      {contract.RightRead, "/v1/logins/" + apitest.SampleLogin, "", 200, ""},
		"DELETE /v1/logins/{id}":                   {contract.RightLease, "/v1/logins/" + apitest.SampleLogin, "", 200, ""},
		"GET /v1/logins/{id}/report":               {contract.RightRead, "/v1/logins/" + apitest.SampleLogin + "/report?format=html", "", 200, ""},
		"GET /v1/mock":                             {contract.RightVirtual, "/v1/mock", "", 200, ""},
		"PUT /v1/mock/faults":                      {contract.RightVirtual, "/v1/mock/faults", `{"client":"c","faults":["slow:5s"]}`, 200, "faults {Client:c State: Faults:[slow:5s]}"},
		"POST /v1/mock/keys/rotate":                {contract.RightVirtual, "/v1/mock/keys/rotate", "", 201, "rotate"},
		"DELETE /v1/mock/sessions":                 {contract.RightVirtual, "/v1/mock/sessions?user=" + user, "", 200, "end " + user},
		"PUT /v1/mock/users/{uuid}":                {contract.RightVirtual, "/v1/mock/users/" + user, `{"aal":2}`, 200, "set " + user},
		"DELETE /v1/mock/users/{uuid}":             {contract.RightVirtual, "/v1/mock/users/" + user, "", 200, "delete " + user},
		"GET /v1/readiness":                        {contract.RightRead, "/v1/readiness?aal=3&target=mock", "", 200, ""},
		"GET /v1/status":                           {contract.RightRead, "/v1/status", "", 200, ""},
		"GET /v1/tokens":                           {contract.RightAdmin, "/v1/tokens", "", 200, ""},
		"POST /v1/tokens":                          {contract.RightAdmin, "/v1/tokens", `{"name":"sample","rights":["admin"]}`, 201, ""},
		"DELETE /v1/tokens/{id}":                   {contract.RightAdmin, "/v1/tokens/sample", "", 204, ""},
		"PUT /v1/workstation/hello":                {contract.RightAdmin, "/v1/workstation/hello", `{"api_version":4,"available":true}`, 204, ""},
		"GET /v1/virtual":                          {contract.RightVirtual, "/v1/virtual", "", 200, ""},
		"POST /v1/virtual/cards":                   {contract.RightVirtual, "/v1/virtual/cards", `{"name":"r1"}`, 201, "insert {Name:r1"},
		"DELETE /v1/virtual/cards/{name}":          {contract.RightVirtual, "/v1/virtual/cards/r1", "", 200, "remove r1"},
		"PUT /v1/virtual/cards/{name}/faults":      {contract.RightVirtual, "/v1/virtual/cards/r1/faults", `[{"name":"mute"}]`, 200, "faults smartcard r1 [{Name:mute"},
		"POST /v1/virtual/cards/{name}/swap":       {contract.RightVirtual, "/v1/virtual/cards/r1/swap", `{}`, 200, "swap r1 {"},
		"DELETE /v1/virtual/devices/{name}":        {contract.RightVirtual, "/v1/virtual/devices/k1", "", 204, "delete k1"},
		"POST /v1/virtual/keys":                    {contract.RightVirtual, "/v1/virtual/keys", `{"name":"k1"}`, 201, "plug {Name:k1"},
		"DELETE /v1/virtual/keys/{name}":           {contract.RightVirtual, "/v1/virtual/keys/k1", "", 200, "unplug k1"},
		"PUT /v1/virtual/keys/{name}/faults":       {contract.RightVirtual, "/v1/virtual/keys/k1/faults", `[]`, 200, "faults security-key k1 []"},
		"POST /v1/virtual/keys/{name}/touch":       {contract.RightVirtual, "/v1/virtual/keys/k1/touch", "", 204, "touch k1"},
		"POST /v1/pages":                           {contract.RightRead, "/v1/pages", "", 201, ""},
		"POST /v1/pages/session":                   {contract.RightRead, "/v1/pages/session", "", 201, ""},
		// Found by who asked for it alone, as TestAPageIsOpenedOnce sees.
		"GET /v1/pages/{id}": {contract.RightRead, "/v1/pages/page-0", "", 404, ""},
	}
}

// world is what an attacker's request can be made of.
type world struct {
	port, otherPort         string
	expired, revoked, other string // secrets
	leaseOver               string // the own token of a lease that has ended
}

// attacker is one row of the attackers' table: how a good request, with a
// token that has every right, is bent, and what must come of it.
type attacker struct {
	name string
	// writes: it can only be aimed at state changes; reads: at the others.
	writes, reads bool
	bend          func(*request, world)
	status        int
	// code of the problem; empty where net/http refuses it before us.
	code string
}

func header(name, value string) func(*request, world) {
	return func(r *request, w world) { r.set(name, w.fill(value)) }
}

func twice(name, first, second string) func(*request, world) {
	return func(r *request, w world) {
		r.del(name)
		r.add(name, w.fill(first))
		r.add(name, w.fill(second))
	}
}

func without(name string) func(*request, world) {
	return func(r *request, _ world) { r.del(name) }
}

func (w world) fill(s string) string {
	return strings.NewReplacer("PORT", w.port, "OTHER", w.otherPort).Replace(s)
}

func attackers() []attacker {
	list := []attacker{
		// What a rebound page sends has neither Origin nor Sec-Fetch-Site on
		// GET: the Host is all there is.
		{name: "Host missing, HTTP/1.1", bend: without("Host"), status: 400},
		{name: "Host missing, HTTP/1.0", bend: func(r *request, _ world) { r.del("Host"); r.proto = "HTTP/1.0" }, status: 421, code: "HOST_REFUSED"},
		{name: "Host twice", bend: twice("Host", "127.0.0.1:PORT", "evil.example"), status: 400},
		{name: "target is a whole URL of a foreign host", bend: func(r *request, _ world) { r.target = "http://evil.example" + r.target }, status: 421, code: "HOST_REFUSED"},
		{name: "target is a whole URL of our host, Host foreign", bend: func(r *request, w world) {
			r.target = w.fill("http://127.0.0.1:PORT") + r.target
			r.set("Host", "evil.example")
		}, status: 421, code: "HOST_REFUSED"},
	}
	for _, host := range []string{
		"evil.example", "evil.example:PORT", "127.0.0.1", "localhost", "127.0.0.1:OTHER", "localhost:OTHER", "[::1]:OTHER",
		"localhost.:PORT", "localhost.evil.example:PORT", "127.0.0.1.evil.example:PORT", "0.0.0.0:PORT", "127.1:PORT", "2130706433:PORT",
		"127.0.0.2:PORT", "[::ffff:127.0.0.1]:PORT", "[::]:PORT", "localhost:0PORT", "authbridge:PORT",
	} {
		list = append(list, attacker{name: "Host " + host, bend: header("Host", host), status: 421, code: "HOST_REFUSED"})
	}
	for _, origin := range []string{
		"http://evil.example", "http://evil.example:PORT", "null", "", "file://", "chrome-extension://abcdefghijklmnop",
		"http://127.0.0.1:OTHER", "http://127.0.0.1", "https://127.0.0.1:PORT", "HTTP://127.0.0.1:PORT",
		"http://localhost:PORT", // ours too, but not the Host that is asked here
		"http://127.0.0.1:PORT.evil.example", "http://127.0.0.1:PORT@evil.example", "http://127.0.0.1:PORT/", "http://127.0.0.1:PORT, http://evil.example",
	} {
		list = append(list, attacker{name: "Origin " + origin, bend: header("Origin", origin), status: 403, code: "ORIGIN_REFUSED"})
	}
	for _, site := range []string{"cross-site", "same-site", "", "Same-Origin", "same-origin, none"} {
		list = append(list, attacker{name: "Sec-Fetch-Site " + site, bend: header("Sec-Fetch-Site", site), status: 403, code: "ORIGIN_REFUSED"})
	}
	list = append(list,
		attacker{name: "Origin twice, ours first", bend: twice("Origin", "http://127.0.0.1:PORT", "http://evil.example"), status: 403, code: "ORIGIN_REFUSED"},
		attacker{name: "Sec-Fetch-Site twice, ours first", bend: twice("Sec-Fetch-Site", "same-origin", "cross-site"), status: 403, code: "ORIGIN_REFUSED"},
		attacker{name: "preflight of a foreign page", bend: func(r *request, _ world) {
			r.method, r.body = "OPTIONS", ""
			r.set("Origin", "http://evil.example")
			r.set("Access-Control-Request-Method", "POST")
			r.del("Authorization")
		}, status: 403, code: "ORIGIN_REFUSED"},
		attacker{name: "WebSocket of a foreign page", bend: func(r *request, _ world) {
			r.set("Origin", "http://evil.example")
			r.set("Connection", "Upgrade")
			r.set("Upgrade", "websocket")
		}, status: 403, code: "ORIGIN_REFUSED"},

		attacker{name: "no token", bend: without("Authorization"), status: 401, code: "UNAUTHORIZED"},
		attacker{name: "no token, own Origin", bend: func(r *request, w world) {
			r.del("Authorization")
			r.set("Origin", w.fill("http://127.0.0.1:PORT"))
			r.set("Sec-Fetch-Site", "same-origin")
		}, status: 401, code: "UNAUTHORIZED"},
		attacker{name: "wrong token", bend: func(r *request, w world) { r.set("Authorization", "Bearer "+w.other) }, status: 401, code: "UNAUTHORIZED"},
		attacker{name: "expired token", bend: func(r *request, w world) { r.set("Authorization", "Bearer "+w.expired) }, status: 401, code: "UNAUTHORIZED"},
		attacker{name: "token of a lease that has ended", bend: func(r *request, w world) { r.set("Authorization", "Bearer "+w.leaseOver) }, status: 410, code: "LEASE_OVER"},
		attacker{name: "revoked token", bend: func(r *request, w world) { r.set("Authorization", "Bearer "+w.revoked) }, status: 401, code: "UNAUTHORIZED"},
		attacker{name: "empty token", bend: header("Authorization", "Bearer "), status: 401, code: "UNAUTHORIZED"},
		attacker{name: "token without scheme", bend: func(r *request, _ world) { r.set("Authorization", r.secret) }, status: 401, code: "UNAUTHORIZED"},
		attacker{name: "token as password", bend: func(r *request, _ world) { r.set("Authorization", "Basic "+r.secret) }, status: 401, code: "UNAUTHORIZED"},
		attacker{name: "token cut short", bend: func(r *request, _ world) { r.set("Authorization", "Bearer "+r.secret[:len(r.secret)-1]) }, status: 401, code: "UNAUTHORIZED"},
		attacker{name: "two tokens", bend: func(r *request, w world) { r.add("Authorization", "Bearer "+w.other) }, status: 401, code: "UNAUTHORIZED"},
		attacker{name: "token in the query only", bend: func(r *request, _ world) {
			r.del("Authorization")
			r.query("token=" + r.secret + "&access_token=" + r.secret)
		}, status: 401, code: "UNAUTHORIZED"},
		attacker{name: "token in a cookie only", bend: func(r *request, _ world) { r.del("Authorization"); r.set("Cookie", "token="+r.secret) }, status: 401, code: "UNAUTHORIZED"},
		attacker{name: "token in the query too", bend: func(r *request, _ world) { r.query("access_token=" + r.secret) }, status: 400, code: "BAD_REQUEST"},

		attacker{name: "method override header", bend: header("X-HTTP-Method-Override", "DELETE"), status: 400, code: "BAD_REQUEST"},
		attacker{name: "method override header, second spelling", bend: header("X-Method-Override", "DELETE"), status: 400, code: "BAD_REQUEST"},
		attacker{name: "method override in the query", bend: func(r *request, _ world) { r.query("_method=DELETE") }, status: 400, code: "BAD_REQUEST"},
		attacker{name: "unknown method", bend: func(r *request, _ world) { r.method = "BREW" }, status: 405, code: "METHOD_NOT_ALLOWED"},
		attacker{name: "TRACE", bend: func(r *request, _ world) { r.method = "TRACE" }, status: 405, code: "METHOD_NOT_ALLOWED"},

		attacker{name: "query parameter twice", bend: func(r *request, _ world) { r.query("x=1&x=2") }, status: 400, code: "BAD_REQUEST"},
		attacker{name: "query with a broken escape", bend: func(r *request, _ world) { r.query("x=%zz") }, status: 400, code: "BAD_REQUEST"},
		attacker{name: "query beyond the limit", bend: func(r *request, _ world) { r.query("x=" + strings.Repeat("a", 4000)) }, status: 400, code: "BAD_REQUEST"},
		attacker{name: "double slash", bend: func(r *request, _ world) { r.target = "/" + r.target }, status: 404, code: "NOT_FOUND"},
		attacker{name: "dot segments", bend: func(r *request, _ world) { r.target = "/v1/../" + strings.TrimPrefix(r.target, "/") }, status: 404, code: "NOT_FOUND"},
		attacker{name: "escaped dot segments", bend: func(r *request, _ world) { r.target = "/x/%2e%2e" + r.target }, status: 404, code: "NOT_FOUND"},
		attacker{name: "headers beyond the limit", bend: header("X-Long", strings.Repeat("a", 24<<10)), status: 431},

		attacker{name: "a body where none belongs", reads: true, bend: func(r *request, _ world) { r.body = "{}" }, status: 413, code: "BODY_TOO_LARGE"},
		attacker{name: "a chunked body where none belongs", reads: true, bend: func(r *request, _ world) { r.chunked, r.body = true, "{}" }, status: 413, code: "BODY_TOO_LARGE"},
		attacker{name: "body beyond the limit", writes: true, bend: func(r *request, _ world) { r.body = `{"name":"` + strings.Repeat("a", 256<<10) + `"}` }, status: 413, code: "BODY_TOO_LARGE"},
		attacker{name: "chunked body beyond the limit", writes: true, bend: func(r *request, _ world) {
			r.chunked, r.body = true, `{"name":"`+strings.Repeat("a", 256<<10)+`"}`
		}, status: 413, code: "BODY_TOO_LARGE"},
		attacker{name: "no content type", writes: true, bend: without("Content-Type"), status: 415, code: "UNSUPPORTED_MEDIA_TYPE"},
		attacker{name: "two content types", writes: true, bend: twice("Content-Type", "application/json", "text/plain"), status: 415, code: "UNSUPPORTED_MEDIA_TYPE"},
		attacker{name: "compressed body", writes: true, bend: header("Content-Encoding", "gzip"), status: 415, code: "UNSUPPORTED_MEDIA_TYPE"},
		attacker{name: "body that is no JSON", writes: true, bend: func(r *request, _ world) { r.body = `{"name":` }, status: 400, code: "BAD_REQUEST"},
		attacker{name: "body with an unknown field", writes: true, bend: func(r *request, _ world) { r.body = `{"surprise":1}` }, status: 400, code: "BAD_REQUEST"},
	)
	for _, kind := range []string{
		"text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
		"text/plain; application/json", "application/json, text/plain", "application/json; charset=utf-16", "application/jsonp", "application/merge-patch+json", "",
	} {
		list = append(list, attacker{name: "content type " + kind, writes: true, bend: header("Content-Type", kind), status: 415, code: "UNSUPPORTED_MEDIA_TYPE"})
	}
	return list
}

// TestEveryAttackerIsRefusedOnEveryRoute walks the table of routes times the
// table of attackers. The attacker has a token with every right: each row
// alone must stop it.
func TestEveryAttackerIsRefusedOnEveryRoute(t *testing.T) {
	now := time.Now()
	var ahead time.Duration
	s := apitest.Start(t, apitest.Options{Now: func() time.Time { return now.Add(ahead) }})
	observeOneOfEach(t, s)
	w := world{port: portOf(s.URL), otherPort: "17824", other: "authbridge_" + strings.Repeat("A", 43)}
	w.expired = s.NamedToken(t, "expired", time.Minute, contract.Rights...).Secret
	w.revoked = s.NamedToken(t, "revoked", time.Hour, contract.Rights...).Secret
	ahead = 2 * time.Minute // s.Secret lives for an hour
	if err := s.Store.RevokeToken(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	s.NamedToken(t, "sample", time.Hour, contract.RightRead)
	w.leaseOver = s.Leases.Lend(contract.Owner{Name: "user 1000"})
	s.Leases.End(apitest.SampleLease, contract.EndExpired)
	before := len(s.Store.Tokens())

	known := rows()
	for pattern := range api.RouteTable() {
		sample, ok := known[pattern]
		if !ok {
			t.Errorf("the route %s has no row in the table of rows: say its right and a request that succeeds", pattern)
			continue
		}
		method, _, _ := strings.Cut(pattern, " ")
		for _, a := range attackers() {
			changes := method != "GET"
			if a.writes && !changes || a.reads && changes {
				continue
			}
			t.Run(pattern+"/"+a.name, func(t *testing.T) {
				r := newRequest(method, sample, w.port, s.Secret)
				a.bend(r, w)
				got := r.send(t, "tcp", strings.TrimPrefix(s.URL, "http://"))
				if got.status != a.status {
					t.Fatalf("status %d, want %d: %s", got.status, a.status, got.body)
				}
				if a.code != "" {
					got.wantProblem(t, a.code)
				}
				if strings.Contains(got.body, r.secret) {
					t.Error("the answer holds the token")
				}
				for name := range got.header {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("the answer opens itself to other origins: %s", name)
					}
				}
			})
		}
	}
	if orders := s.Devices.Orders(); len(orders) != 0 {
		t.Errorf("attackers gave orders: %v", orders)
	}
	if reads := s.Source.Rereads(); len(reads) != 0 {
		t.Errorf("attackers caused reads: %v", reads)
	}
	if calls := slices.Concat(s.Leases.Calls(), s.Ceremonies.Calls(), s.Logins.Calls(), s.Mock.Calls(), s.Parties.Calls()); len(calls) != 0 {
		t.Errorf("attackers had leases, ceremonies, logins, the mock or checks: %v", calls)
	}
	if after := len(s.Store.Tokens()); after != before {
		t.Errorf("attackers made or ended tokens: %d before, %d after", before, after)
	}
}

// TestTheSampleRequestsSucceed is the other half: what is refused above is
// refused for the row's reason, since unbent it succeeds, with the right of
// the row alone, and with all other rights it does not.
func TestTheSampleRequestsSucceed(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	observeOneOfEach(t, s)
	port := portOf(s.URL)
	only, allBut := map[contract.Right]contract.NewToken{}, map[contract.Right]string{}
	for _, right := range contract.Rights {
		only[right] = s.NamedToken(t, "only "+string(right), time.Hour, right)
		var rest []contract.Right
		for _, other := range contract.Rights {
			if other != right {
				rest = append(rest, other)
			}
		}
		allBut[right] = s.NamedToken(t, "all but "+string(right), time.Hour, rest...).Secret
	}
	table := api.RouteTable()
	for pattern, sample := range rows() {
		right, ok := table[pattern]
		if !ok {
			t.Errorf("the row %s has no route", pattern)
			continue
		}
		if right != sample.right {
			t.Errorf("%s asks the right %s, want %s", pattern, right, sample.right)
		}
		method, _, _ := strings.Cut(pattern, " ")
		t.Run(pattern, func(t *testing.T) {
			address := strings.TrimPrefix(s.URL, "http://")
			got := newRequest(method, sample, port, allBut[sample.right]).send(t, "tcp", address)
			if got.status != 403 {
				t.Fatalf("with all rights but %s: status %d, want 403: %s", sample.right, got.status, got.body)
			}
			got.wantProblem(t, "FORBIDDEN")

			for _, from := range []struct{ network, address, host, origin string }{
				{"tcp", address, "127.0.0.1:" + port, ""},
				{"tcp", address, "localhost:" + port, "http://localhost:" + port},
				{"tcp", address, "[::1]:" + port, ""},
				{"unix", s.Socket, "localhost", ""},
			} {
				if pattern == "DELETE /v1/tokens/{id}" {
					s.NamedToken(t, "sample", time.Hour, contract.RightRead)
				}
				lend(s, contract.Owner{TokenID: only[sample.right].ID, Name: "token only"})
				r := newRequest(method, sample, port, only[sample.right].Secret)
				r.set("Host", from.host)
				if from.origin != "" {
					r.set("Origin", from.origin)
					r.set("Sec-Fetch-Site", "same-origin")
				}
				got := r.send(t, from.network, from.address)
				if got.status != sample.status {
					t.Fatalf("as %s over %s: status %d, want %d: %s", from.host, from.network, got.status, sample.status, got.body)
				}
				got.wantSafeHeaders(t)
				if sample.order != "" {
					orders := s.Devices.Orders()
					if strings.HasPrefix(sample.target, "/v1/mock") {
						orders = s.Mock.Calls()
					}
					if len(orders) == 0 || !strings.HasPrefix(orders[len(orders)-1], sample.order) {
						t.Errorf("orders %q, want the last to be %q", orders, sample.order)
					}
				}
				if pattern == "POST /v1/tokens" {
					if err := s.Store.RevokeToken(t.Context(), "sample"); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}
