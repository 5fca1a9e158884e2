"""The web: fetches pages politely and within limits, and finds pages with search APIs."""
