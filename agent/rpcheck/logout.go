package rpcheck

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// nobody is the user of every logout token that is sent: no session is ended.
const nobody = "999999999999"

const formType = "application/x-www-form-urlencoded"

// logout brings the logout tokens of all cases.
func (o *check) logout(ctx context.Context) {
	to := o.party.BackChannelLogout
	switch {
	case to == "":
		r := unknown("logout-valid", failure.BCLSim, "", "no endpoint is registered", logoutSpec+"2.2")
		r.State, r.Remedy = contract.Warn, "Register a back-channel logout endpoint: without it the application does not hear that a session at CIS2 has ended."
		o.add(r)
		return
	case o.party.Tokens == nil:
		o.add(unknown("logout-valid", failure.BCLSim, to, o.party.Silent, logoutSpec+"2.5"))
		return
	}
	l := &logoutRun{check: o, to: to, session: rand.Text()}
	for _, c := range logoutCases {
		l.make(ctx, c)
	}
	l.noStore()
}

// logoutRun is what the cases have in common.
type logoutRun struct {
	*check
	to, session, last string
	ended             string // why no more is sent
	refusesAll        bool   // the good one was refused
	answers, kept     int    // to POST, and those among them that may be kept on the way
}

// make makes one case, or says why not.
func (l *logoutRun) make(ctx context.Context, c logoutCase) {
	real := l.party.Environment != cis2.Mock
	r := row{Name: c.name, Subject: l.to, Expected: c.expected(), Clause: c.clause, Code: string(c.code())}
	good := c.how != without && (c.want == accept || c.want == follow)
	switch {
	case real && (good || c.how == again):
		r.State, r.Evidence = contract.Unknown, "only "+l.party.Environment+" itself can sign a token that the application has to take: end a session there, and see that the application ends its own"
		l.add(r)
		return
	case l.ended != "":
		r.State, r.Evidence = contract.Unknown, l.ended
		l.add(r)
		return
	}
	began := l.now()
	a, err := l.bring(ctx, c)
	r.At, r.TookMS = began, ms(l.now().Sub(began))
	switch {
	case err != nil:
		r.State, r.Evidence = contract.Unknown, "the token could not be made"
	case a.problem != "":
		r.State, r.Got = contract.Fail, a.problem
		r.Remedy = "Start the application, and look whether it answers at the registered address."
		l.ended = "the endpoint did not answer"
	default:
		r.State, r.Got = c.judge(a.status), said(a.status)
		l.remark(&r, c, a, real)
	}
	l.add(r)
}

// remark says what the answer to a case means for it and for the others.
func (l *logoutRun) remark(r *row, c logoutCase, a answer, real bool) {
	if a.status >= 300 && a.status <= 399 {
		r.Evidence = "it sends on to " + where(a.header) + ", and nobody follows"
	}
	if c.how == asForm || c.how == again {
		l.answers++
		if !noStore(a.header) {
			l.kept++
		}
	}
	first := c.want == accept && c.token == ""
	if first && r.State == contract.Fail {
		l.refusesAll = true
	}
	switch {
	case !first && l.refusesAll:
		r.State, r.Evidence = contract.Unknown, "it does not take a good token either, so this says nothing"
	case r.State == contract.Pass && c.want == refuse && real:
		r.Evidence = "it is signed with a key that " + l.party.Environment + " does not have, and to be refused for that alone"
	case c.want == follow && r.State == contract.Unknown:
		r.Evidence = "not taken yet"
		r.Remedy = c.remedy
	case r.State == contract.Warn && c.want == refuse:
		r.Remedy = "Answer 400, as the specification has it, to every logout token that is refused."
	case r.State == contract.Warn:
		r.Remedy = "Answer 200 with an empty body: the specification lets a service take 204, and nobody says that CIS2 does."
	case r.State == contract.Fail:
		r.Remedy = c.remedy
	}
}

// bring makes the token of a case and brings it.
func (l *logoutRun) bring(ctx context.Context, c logoutCase) (answer, error) {
	if c.how != again && c.how != without {
		var wrong []string
		if c.token != "" {
			wrong = []string{c.token}
		}
		var err error
		if l.last, err = l.party.Tokens.LogoutToken(l.party.ClientID, nobody, l.session, wrong...); err != nil {
			return answer{}, err
		}
	}
	form := url.Values{"logout_token": {l.last}}.Encode()
	switch c.how {
	case byGET:
		u, err := url.Parse(l.to)
		if err != nil {
			return answer{}, err
		}
		q := u.Query()
		q.Set("logout_token", l.last)
		u.RawQuery = q.Encode()
		return l.web.call(ctx, http.MethodGet, u.String(), "", ""), nil
	case asJSON:
		return l.web.call(ctx, http.MethodPost, l.to, "application/json", `{"logout_token":"`+l.last+`"}`), nil
	case without:
		form = ""
	case asForm, again:
	}
	return l.web.call(ctx, http.MethodPost, l.to, formType, form), nil
}

// noStore is whether answers may be kept on the way.
func (l *logoutRun) noStore() {
	r := row{Name: "logout-no-store", State: contract.Pass, Subject: l.to, Expected: "Cache-Control: no-store", Got: "on each answer", Clause: logoutSpec + "2.8", Code: string(failure.BCLSim)}
	switch {
	case l.answers == 0:
		r = unknown(r.Name, failure.BCLSim, l.to, "there was no answer", r.Clause)
	case l.kept > 0:
		r.State, r.Got = contract.Warn, "not on each answer"
		r.Remedy = "Send `Cache-Control: no-store` with each answer of the endpoint, refusals among them."
	}
	l.add(r)
}
