package contract

import "testing"

func TestWhoseAnAuthenticatorIsAtATarget(t *testing.T) {
	const ada, ben, cyd = "555250000001", "555250000002", "555250000003"
	key := func(bound ...Binding) Authenticator { return Authenticator{Kind: SecurityKey, Users: bound} }
	configured := func(user string) Binding { return Binding{Target: "mock", User: user, By: ByConfiguration} }
	login := func(user string, outcome ProofOutcome) Binding {
		return Binding{Target: "mock", User: user, By: ByLogin, Login: outcome}
	}
	for name, tt := range map[string]struct {
		a      Authenticator
		ada    CheckState // whether it is Ada's
		signer string     // who signs in where nobody is named
	}{
		"nothing is known":              {key(), Unknown, ""},
		"configured":                    {key(configured(ada)), Pass, ada},
		"configured for another":        {key(configured(ben)), Fail, ben},
		"configured for both":           {key(configured(ben), configured(ada)), Pass, ""},
		"at another target":             {key(Binding{Target: "int", User: ada, By: ByConfiguration}), Unknown, ""},
		"a login":                       {key(login(ada, Proven)), Pass, ada},
		"a login as another":            {key(login(ben, Proven)), Unknown, ben},
		"logins as two":                 {key(login(ada, Proven), login(ben, Proven)), Pass, ""},
		"a login that was refused":      {key(login(ada, Refused)), Fail, ""},
		"refused as another":            {key(login(ada, Proven), login(ben, Refused)), Pass, ada},
		"configured and refused":        {key(Binding{"mock", ada, ByConfiguration, Refused}), Fail, ada},
		"the configuration goes before": {key(configured(ben), login(cyd, Proven)), Fail, ben},
		"a login in spite of it":        {key(configured(ben), login(ada, Proven)), Pass, ben},
		"a card's own":                  {Authenticator{Kind: Smartcard, User: ada, Users: []Binding{configured(ben)}}, Pass, ada},
		"another's card":                {Authenticator{Kind: Smartcard, User: ben, Users: []Binding{configured(ada)}}, Fail, ben},
		"a card that does not say it":   {Authenticator{Kind: Smartcard, Users: []Binding{configured(ada)}}, Unknown, ""},
	} {
		if got := tt.a.Belongs(ada, "mock"); got != tt.ada {
			t.Errorf("%s: it is %s", name, got)
		}
		if got := tt.a.UserAt("mock"); got != tt.signer {
			t.Errorf("%s: %q signs in", name, got)
		}
	}
}
