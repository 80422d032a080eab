// Package report writes the reports that people and pipelines keep: pages that
// stand alone, and JUnit XML. What is in a report is decided elsewhere.
package report
