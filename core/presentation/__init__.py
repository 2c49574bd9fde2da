"""What is said and drawn. No Streamlit."""
