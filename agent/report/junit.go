package report

import (
	"encoding/xml"
	"fmt"
	"time"
)

type junitSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	Suites  []Suite  `xml:"testsuite"`
}

// Suite is an element of JUnit's XML, with all that the strictest of its schemas
// in use wants: id, package, hostname and the empty streams at the end.
type Suite struct {
	Name       string     `xml:"name,attr"`
	Package    string     `xml:"package,attr"`
	ID         int        `xml:"id,attr"`
	Timestamp  string     `xml:"timestamp,attr"`
	Hostname   string     `xml:"hostname,attr"`
	Tests      int        `xml:"tests,attr"`
	Failures   int        `xml:"failures,attr"`
	Errors     int        `xml:"errors,attr"`
	Skipped    int        `xml:"skipped,attr"`
	Time       string     `xml:"time,attr"`
	Properties []Property `xml:"properties>property"`
	Cases      []Case     `xml:"testcase"`
	Out        string     `xml:"system-out"`
	Err        string     `xml:"system-err"`
}

// Property is a name and a value.
type Property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

// Case is one test; with no member it has passed.
type Case struct {
	Name    string   `xml:"name,attr"`
	Class   string   `xml:"classname,attr"`
	Time    string   `xml:"time,attr"`
	Skipped *Skipped `xml:"skipped"`
	Error   *Failure `xml:"error"`
	Failure *Failure `xml:"failure"`
}

// Skipped says why a case was not run.
type Skipped struct {
	Message string `xml:"message,attr,omitempty"`
}

// Failure is what went wrong with a case; Type is its code.
type Failure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// Properties are names and values, but for those that are empty.
func Properties(all [][2]string) (list []Property) {
	for _, p := range all {
		if p[1] != "" {
			list = append(list, Property{p[0], p[1]})
		}
	}
	return list
}

// JUnit is the XML of suites.
func JUnit(suites ...Suite) ([]byte, error) {
	body, err := xml.MarshalIndent(&junitSuites{Suites: suites}, "", " ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), body...), nil
}

// Timestamp and Seconds are times as the schema has them.
func Timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") }

// Seconds is a length of time.
func Seconds(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }
