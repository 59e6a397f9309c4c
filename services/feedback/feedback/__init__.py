"""The quality loop: what customers think of each service, and how satisfied they are.

owns        surveys and every answer ever given to them
events in   dispatch.ticket_closed
events out  feedback.survey_sent, feedback.survey_answered, feedback.customer_message_requested
loops       none
"""
