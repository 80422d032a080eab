//go:build !darwin || cgo

package main

import (
	"runtime"
	"slices"
	"time"

	"fyne.io/systray"
)

// menu is the face that people see: an icon with a menu, by systray.
type menu struct {
	shown   view
	items   [rows]*systray.MenuItem
	icons   [ready + 1][]byte
	clicked chan click
}

// runMenu shows the menu until leaveMenu, on the thread that the program began
// with. ready is called once there is a menu; ended is waited for at the end.
func runMenu(ready func(face), ended func()) error {
	if runtime.GOOS == "linux" {
		systray.SetTitle("authbridge") // by which panels know it again; elsewhere it stands beside the icon
	}
	systray.Run(func() { ready(newMenu()) }, ended)
	return nil
}

func leaveMenu() { systray.Quit() }

// newMenu makes the icon and all rows there ever are, so that the menu does not
// grow. It is called once systray runs.
func newMenu() *menu {
	m := &menu{clicked: make(chan click)}
	for s := range m.icons {
		if m.icons[s] = icon(state(s)); runtime.GOOS == "windows" {
			m.icons[s] = ico(m.icons[s])
		}
	}
	systray.SetIcon(m.icons[m.shown.state])
	for i := range m.items {
		if slices.Contains(parts[:], i) {
			systray.AddSeparator()
		}
		item := systray.AddMenuItem("", "") // never disabled: that is grey, and keys and screen readers pass it by
		item.Hide()
		m.items[i] = item
		go func() {
			for range item.ClickedCh {
				m.clicked <- click{i, time.Now()}
			}
		}()
	}
	return m
}

// clicks are the rows that were clicked.
func (m *menu) clicks() <-chan click { return m.clicked }

// show tells the panel what has changed, and nothing else: each call is a signal
// on the bus.
func (m *menu) show(v view) {
	if v.state != m.shown.state {
		systray.SetIcon(m.icons[v.state])
	}
	if v.title != m.shown.title {
		systray.SetTooltip(v.title)
	}
	for i, r := range v.rows {
		m.row(m.items[i], m.shown.rows[i], r)
	}
	m.shown = v
}

// row changes one that is hidden by nothing but showing it: on Windows each other
// change would show it too.
func (m *menu) row(item *systray.MenuItem, was, now row) {
	if now.text == "" {
		if was.text != "" {
			item.Hide()
		}
		return
	}
	if now.text != was.text {
		item.SetTitle(label(runtime.GOOS, now.text))
	}
	if was.text == "" {
		item.Show()
	}
}
