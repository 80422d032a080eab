package nhs

import (
	"reflect"
	"slices"
	"testing"
)

func TestRulesOfBrowsers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		want []Policy
	}{
		"none":                            {`{"HomepageLocation":"https://intranet.test"}`, nil},
		"third-party cookies":             {`{"BlockThirdPartyCookies":true}`, []Policy{{"Edge", "BlockThirdPartyCookies", BlocksCookies}}},
		"a number, as in the registry":    {`{"BlockThirdPartyCookies":1}`, []Policy{{"Edge", "BlockThirdPartyCookies", BlocksCookies}}},
		"not those of localhost":          {`{"BlockThirdPartyCookies":true,"CookiesAllowedForUrls":["[*.]localhost"]}`, nil},
		"switched off":                    {`{"BlockThirdPartyCookies":false}`, nil},
		"cookies of localhost":            {`{"CookiesBlockedForUrls":["http://localhost:43485"]}`, []Policy{{"Edge", "CookiesBlockedForUrls", BlocksCookies}}},
		"no page, before 146":             {`{"LocalNetworkAccessBlockedForUrls":["*"]}`, []Policy{{"Edge", "LocalNetworkAccessBlockedForUrls", BlocksAll}}},
		"some pages, from 146 on":         {`{"LoopbackNetworkBlockedForUrls":["https://a.test"]}`, []Policy{{"Edge", "LoopbackNetworkBlockedForUrls", BlocksSome}}},
		"pages that may":                  {`{"LocalNetworkAccessAllowedForUrls":["https://[*.]nhs.uk"]}`, []Policy{{"Edge", "LocalNetworkAccessAllowedForUrls", Lets}}},
		"all may, for a while":            {`{"LocalNetworkAccessRestrictionsTemporaryOptOut":true}`, []Policy{{"Edge", "LocalNetworkAccessRestrictionsTemporaryOptOut", Lets}}},
		"a rule of a shape that is wrong": {`{"LocalNetworkAccessBlockedForUrls":"*","BlockThirdPartyCookies":"yes"}`, nil},
	} {
		r, err := readRules([]byte(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		if got := policiesOf("Edge", r); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// FuzzRulesOfABrowser: a file with anything in it is read or refused, and what is
// told of it are names of ours.
func FuzzRulesOfABrowser(f *testing.F) {
	f.Add([]byte(`{"BlockThirdPartyCookies":true,"CookiesAllowedForUrls":["[*.]localhost"]}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"LocalNetworkAccessBlockedForUrls":[1]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := readRules(text)
		if err != nil {
			return
		}
		for _, p := range policiesOf("Chrome", r) {
			if !slices.Contains([]Effect{BlocksCookies, BlocksAll, BlocksSome, Lets}, p.Effect) || r[p.Name] == nil {
				t.Errorf("%+v", p)
			}
		}
	})
}
