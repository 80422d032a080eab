package api

import (
	"context"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"authbridge/agent/contract"
)

// route is one row of the table: all that is decided about a route stands
// here, and the gate enforces it. A handler asks no rights.
type route struct {
	method, path string
	// right is what a caller must have been given. Every route asks one.
	right contract.Right
	// leaseToken lets a lease's own token in without the right: what it asks
	// for is then its own lease's matter, or the handler refuses.
	leaseToken bool
	// forUsers lets a user whom the operating system knows in with this right
	// instead: what it asks for is then about tokens of the user's own.
	forUsers contract.Right
	// pageCode lets a page's one-time code in without the right. It is let in
	// nowhere else.
	pageCode bool
	// pin says that the body may hold a PIN: it is cut out before the body is
	// decoded, and the handler takes it.
	pin bool
	// streams says that the answer may be an event stream too.
	streams bool
	// id and summary are for the OpenAPI document.
	id, summary string
	// status of success; 0 is 200.
	status int
	// answer documents handlers that write bytes themselves: media type and a
	// value of the type they hold.
	media  string
	answer any
	mount  func(*Server, huma.API, huma.Operation)
}

// pattern is the row's key in the multiplexer.
func (r route) pattern() string { return r.method + " " + r.path }

// on ties a handler to its row.
func on[I, O any](handler func(*Server, context.Context, *I) (*O, error)) func(*Server, huma.API, huma.Operation) {
	return func(s *Server, api huma.API, op huma.Operation) {
		huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := handler(s, ctx, in)
			if err != nil {
				s.failed(ctx, err)
			}
			return out, err
		})
	}
}

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	patch  = http.MethodPatch
	del    = http.MethodDelete
	asJSON = "application/json"
)

// routes is the table, sorted by path and method.
func routes() []route {
	return []route{
		{method: get, path: "/metrics", right: contract.RightRead, id: "metrics", summary: "Prometheus metrics", media: "text/plain; version=0.0.4; charset=utf-8", answer: "", mount: on((*Server).getMetrics)},
		{method: get, path: "/openapi.json", right: contract.RightRead, id: "openapi", summary: "This document", media: "application/openapi+json", answer: map[string]any{}, mount: on((*Server).getOpenAPI)},
		{method: get, path: "/v1/authenticators", right: contract.RightRead, id: "list-authenticators", summary: "All authenticators", mount: on((*Server).listAuthenticators)},
		{method: get, path: "/v1/authenticators/{id}", right: contract.RightRead, id: "get-authenticator", summary: "One authenticator", mount: on((*Server).getAuthenticator)},
		{method: get, path: "/v1/authenticators/{id}/blocks", right: contract.RightRead, id: "list-blocks", summary: "Sources whose PIN the authenticator refused, and of which none is sent there any more", mount: on((*Server).listBlocks)},
		{method: del, path: "/v1/authenticators/{id}/blocks", right: contract.RightAdmin, id: "clear-blocks", summary: "Let PINs be sent again from the sources that were refused; whoever asks has put them right", status: http.StatusNoContent, mount: on((*Server).clearBlocks)},
		{method: get, path: "/v1/authenticators/{id}/certificates", right: contract.RightRead, id: "list-certificates", summary: "The certificates of a card, masked without the right identity", mount: on((*Server).listCertificates)},
		{method: post, path: "/v1/authenticators/{id}/read", right: contract.RightLease, id: "read-authenticator", summary: "Ask for a fresh read of an authenticator; it costs no PIN try", status: http.StatusAccepted, mount: on((*Server).readAuthenticator)},
		{method: get, path: "/v1/bundle", right: contract.RightRead, id: "bundle", summary: "The support bundle: a zip of what the daemon knows, masked for everybody; its README says what each file is", media: asZip, answer: "", mount: on((*Server).getBundle)},
		{method: get, path: "/v1/ceremonies", right: contract.RightRead, id: "list-ceremonies", summary: "Ceremonies under way, and those that were of late; what they ask and gave is the lease owner's alone", mount: on((*Server).listCeremonies)},
		{method: post, path: "/v1/ceremonies", right: contract.RightLease, leaseToken: true, pin: true, id: "begin-ceremony", summary: "Begin a ceremony under a lease; with wait the answer, 200, comes once it is over, and to go away before cancels it", status: http.StatusAccepted, mount: on((*Server).beginCeremony)},
		{method: get, path: "/v1/ceremonies/{id}", right: contract.RightRead, id: "get-ceremony", summary: "One ceremony, once it is over or the time is up", mount: on((*Server).getCeremony)},
		{method: del, path: "/v1/ceremonies/{id}", right: contract.RightLease, leaseToken: true, id: "cancel-ceremony", summary: "Cancel a ceremony; the answer comes once it is over and says how it ended", mount: on((*Server).cancelCeremony)},
		{method: post, path: "/v1/ceremonies/{id}/pin", right: contract.RightLease, leaseToken: true, pin: true, id: "answer-pin", summary: "Give the PIN that a ceremony waits for", status: http.StatusNoContent, mount: on((*Server).answerPIN)},
		{method: post, path: "/v1/checks/relying-party", right: contract.RightLease, id: "check-relying-party", summary: "Check a running application against its registration; only addresses of the registration are called, and nothing is kept", mount: on((*Server).checkRelyingParty)},
		{method: get, path: "/v1/events", right: contract.RightRead, id: "events", summary: "Server-sent events: a snapshot, then what happens; resumes after Last-Event-ID", media: eventStream, answer: "", mount: on((*Server).getEvents)},
		{method: get, path: "/v1/leases", right: contract.RightRead, id: "list-leases", summary: "Leases that are taken, then the queue in its order", mount: on((*Server).listLeases)},
		{method: post, path: "/v1/leases", right: contract.RightLease, streams: true, id: "take-lease", summary: "Take a lease, or wait for one; held by its connection the answer is an event stream (queued, taken, ended, problem), whose end ends the lease", status: http.StatusCreated, media: asJSON, answer: contract.NewLease{}, mount: on((*Server).takeLease)},
		{method: get, path: "/v1/leases/{id}", right: contract.RightRead, id: "get-lease", summary: "One lease; one that has ended too, for a while", mount: on((*Server).getLease)},
		{method: patch, path: "/v1/leases/{id}", right: contract.RightLease, leaseToken: true, id: "renew-lease", summary: "Renew a lease: its owner's, or by its own token", mount: on((*Server).renewLease)},
		{method: del, path: "/v1/leases/{id}", right: contract.RightLease, leaseToken: true, id: "release-lease", summary: "End a lease: its owner's, by its own token, or anybody's with the right admin besides; the answer comes once the authenticator is left", mount: on((*Server).releaseLease)},
		{method: get, path: "/v1/logins", right: contract.RightRead, id: "list-logins", summary: "The newest login runs, without their steps, the newest first; what came of them is for who asked for them", mount: on((*Server).listLogins)},
		{method: post, path: "/v1/logins", right: contract.RightLease, leaseToken: true, pin: true, id: "begin-login", summary: "Run a whole login and judge what comes of it, or with mode tokens judge one that was done elsewhere; with wait the answer, 200, comes once it is over, and to go away before cancels it", status: http.StatusAccepted, mount: on((*Server).beginLogin)},
		{method: post, path: "/v1/logins/check", right: contract.RightLease, pin: true, id: "check-login", summary: "Whether such a login run can ever be, whatever is here now; begins none", status: http.StatusNoContent, mount: on((*Server).checkLogin)},
		{method: get, path: "/v1/logins/report", right: contract.RightRead, id: "suite-report", summary: "The report of runs that were asked for together, for who asked for them", media: asJSON, answer: contract.LoginSuite{}, mount: on((*Server).reportSuite)},
		{method: get, path: "/v1/logins/{id}", right: contract.RightRead, id: "get-login", summary: "One login run with its steps, once it is over or the time is up", mount: on((*Server).getLogin)},
		{method: del, path: "/v1/logins/{id}", right: contract.RightLease, leaseToken: true, id: "cancel-login", summary: "Cancel a login run; the answer comes once it is over and its lease given back", mount: on((*Server).cancelLogin)},
		{method: get, path: "/v1/logins/{id}/report", right: contract.RightRead, id: "login-report", summary: "The report of a login run, for who asked for it; it shows nobody's name and no secret", media: asJSON, answer: contract.Login{}, mount: on((*Server).reportLogin)},
		{method: get, path: "/v1/mock", right: contract.RightVirtual, id: "get-mock", summary: "The mock of CIS2: its issuer, keys, applications without their secrets, users without the right identity masked, and the faults in force", mount: on((*Server).getMock)},
		{method: put, path: "/v1/mock/faults", right: contract.RightVirtual, id: "set-mock-faults", summary: "Script what the mock does wrong, for all, a client or one login; an empty list ends it; the answer is what is in force", mount: on((*Server).setMockFaults)},
		{method: post, path: "/v1/mock/keys/rotate", right: contract.RightVirtual, id: "rotate-mock-keys", summary: "Sign with a new key from now on; the old one stays published", status: http.StatusCreated, mount: on((*Server).rotateMockKeys)},
		{method: del, path: "/v1/mock/sessions", right: contract.RightVirtual, id: "end-mock-sessions", summary: "End the sessions at the mock, of one user or all; the answer comes once the logout tokens were brought", mount: on((*Server).endMockSessions)},
		{method: put, path: "/v1/mock/users/{uuid}", right: contract.RightVirtual, id: "set-mock-user", summary: "Make or change a user of the mock, for as long as the daemon runs", mount: on((*Server).setMockUser)},
		{method: del, path: "/v1/mock/users/{uuid}", right: contract.RightVirtual, id: "delete-mock-user", summary: "Take a user of the mock away, and end the user's sessions", mount: on((*Server).deleteMockUser)},
		{method: post, path: "/v1/pages", right: contract.RightRead, id: "open-page", summary: "A one-time code for the diagnostics page, good for a minute: for the fragment of the page's address", status: http.StatusCreated, mount: on((*Server).openPage)},
		{method: post, path: "/v1/pages/session", right: contract.RightRead, pageCode: true, id: "begin-page-session", summary: "Swap the code for the token of a page, which ends with the daemon; it has the opener's rights without admin, identity and physical", status: http.StatusCreated, mount: on((*Server).beginPage)},
		{method: get, path: "/v1/pages/{id}", right: contract.RightRead, id: "get-page", summary: "Whether a browser has come with the code, once it has or the time is up", mount: on((*Server).getPage)},
		{method: get, path: "/v1/readiness", right: contract.RightRead, id: "readiness", summary: "Can this machine do such a sign-in now, and if not, why not", media: asJSON, answer: contract.Verdict{}, mount: on((*Server).getReadiness)},
		{method: get, path: "/v1/status", right: contract.RightRead, id: "status", summary: "The snapshot: sources, readers, authenticators, checks", media: asJSON, answer: contract.Snapshot{}, mount: on((*Server).getStatus)},
		{method: get, path: "/v1/tokens", right: contract.RightAdmin, forUsers: contract.RightLease, id: "list-tokens", summary: "All tokens, without their secrets; without admin, one's own", mount: on((*Server).listTokens)},
		{method: post, path: "/v1/tokens", right: contract.RightAdmin, forUsers: contract.RightLease, id: "create-token", summary: "Make a token; the answer is the only one that holds its secret", status: http.StatusCreated, mount: on((*Server).createToken)},
		{method: del, path: "/v1/tokens/{id}", right: contract.RightAdmin, forUsers: contract.RightLease, id: "revoke-token", summary: "End a token, by id or name, and what it holds open", status: http.StatusNoContent, mount: on((*Server).revokeToken)},
		{method: get, path: "/v1/virtual", right: contract.RightVirtual, id: "list-virtual", summary: "All virtual cards and keys", mount: on((*Server).listVirtual)},
		{method: post, path: "/v1/virtual/cards", right: contract.RightVirtual, id: "insert-card", summary: "Insert a virtual card", status: http.StatusCreated, mount: on((*Server).insertCard)},
		{method: del, path: "/v1/virtual/cards/{name}", right: contract.RightVirtual, id: "remove-card", summary: "Pull a virtual card out of its reader", mount: on((*Server).removeCard)},
		{method: put, path: "/v1/virtual/cards/{name}/faults", right: contract.RightVirtual, id: "set-card-faults", summary: "Script the failures of a virtual card; an empty list ends them; the card is read anew, and where only another insertion shows it the answer says reinsert", mount: on((*Server).setCardFaults)},
		{method: post, path: "/v1/virtual/cards/{name}/swap", right: contract.RightVirtual, id: "swap-card", summary: "Swap a virtual card for another at once", mount: on((*Server).swapCard)},
		{method: del, path: "/v1/virtual/devices/{name}", right: contract.RightVirtual, id: "delete-device", summary: "Delete a virtual reader or key, plugged in or not; a card stays its user's", status: http.StatusNoContent, mount: on((*Server).deleteDevice)},
		{method: post, path: "/v1/virtual/keys", right: contract.RightVirtual, id: "plug-key", summary: "Plug a virtual key in", status: http.StatusCreated, mount: on((*Server).plugKey)},
		{method: del, path: "/v1/virtual/keys/{name}", right: contract.RightVirtual, id: "unplug-key", summary: "Unplug a virtual key", mount: on((*Server).unplugKey)},
		{method: put, path: "/v1/virtual/keys/{name}/faults", right: contract.RightVirtual, id: "set-key-faults", summary: "Script the failures of a virtual key; an empty list ends them; the key is read anew", mount: on((*Server).setKeyFaults)},
		{method: post, path: "/v1/virtual/keys/{name}/touch", right: contract.RightVirtual, id: "touch-key", summary: "Touch a virtual key", status: http.StatusNoContent, mount: on((*Server).touchKey)},
		{method: put, path: "/v1/workstation/hello", right: contract.RightAdmin, forUsers: contract.RightLease, id: "tell-hello", summary: "Say what Windows says of Windows Hello in one's own session; it is the caller's word, and holds for an hour", status: http.StatusNoContent, mount: on((*Server).tellHello)},
	}
}

// operation is the row in the words of OpenAPI.
func (r route) operation(schemas huma.Registry) huma.Operation {
	status := r.status
	if status == 0 {
		status = http.StatusOK
	}
	right := string(r.right)
	if r.leaseToken {
		right += ", or the lease's own token"
	}
	if r.forUsers != "" {
		right += ", or over the local socket or pipe " + string(r.forUsers) + ", for what is one's own"
	}
	if r.pageCode {
		right += ", or a page's one-time code"
	}
	op := huma.Operation{
		Method:        r.method,
		Path:          r.path,
		OperationID:   r.id,
		Summary:       r.summary,
		Description:   "Right: " + right,
		DefaultStatus: status,
		MaxBodyBytes:  maxBody + 1, // the guard has it already
		// So it has no time to wait for it: huma's deadline stays on the
		// connection, and would end this call and those behind it after 5 s.
		BodyReadTimeout: -1,
		Security:        []map[string][]string{{"token": {string(r.right)}}},
	}
	if r.media != "" {
		op.Responses = map[string]*huma.Response{strconv.Itoa(status): {
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{r.media: {Schema: schemas.Schema(reflect.TypeOf(r.answer), true, r.id)}},
		}}
	}
	if r.streams {
		op.Responses[strconv.Itoa(http.StatusOK)] = &huma.Response{
			Description: http.StatusText(http.StatusOK),
			Content:     map[string]*huma.MediaType{eventStream: {Schema: schemas.Schema(reflect.TypeFor[string](), true, r.id)}},
		}
	}
	return op
}
